"""Ends the process by a signal to itself."""
import os


def attack():
    os.abort()


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
