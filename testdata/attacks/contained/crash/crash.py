"""Reads where there is no memory."""
import ctypes


def attack():
    ctypes.string_at(0)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
