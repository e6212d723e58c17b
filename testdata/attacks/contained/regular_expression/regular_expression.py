"""Tries all ways to match, of which there are 2 to the power of 64."""
import re


def attack():
    return re.match(r'(a+)+$', 'a' * 64 + 'b')


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
