"""Writes to the standard descriptors without measure."""
import os


def attack():
    for number in (0, 1, 2):
        try:
            for _ in range(100):
                os.write(number, b'x' * (1 << 20))
        except OSError:
            pass


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
