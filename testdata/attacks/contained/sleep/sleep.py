"""Waits."""
import time


def attack():
    time.sleep(3600)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
