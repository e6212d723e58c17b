"""Ends the process."""
import os


def attack():
    os._exit(7)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
