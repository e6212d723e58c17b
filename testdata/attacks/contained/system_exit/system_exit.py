"""Asks the interpreter to end."""
import sys


def attack():
    sys.exit(7)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
