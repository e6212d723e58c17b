"""Asks for state without end."""
import time

from panther_detection_helpers.caching import get_counter


def attack():
    while True:
        get_counter(str(time.time()))


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
