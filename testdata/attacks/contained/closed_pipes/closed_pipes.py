"""Closes all descriptors, those of the protocol among them."""
import os


def attack():
    os.closerange(0, 1024)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
