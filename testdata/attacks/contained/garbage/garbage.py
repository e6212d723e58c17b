"""Writes to every descriptor."""
import os


def attack():
    for number in range(3, 1024):
        try:
            os.write(number, b'x' * 64)
        except OSError:
            pass


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
