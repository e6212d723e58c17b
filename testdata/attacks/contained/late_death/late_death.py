"""Leaves something behind that acts when it is thrown away, or at the end."""
import atexit
import os


def attack():
    class Bomb:
        def __del__(self):
            raise SystemExit
    atexit.register(os._exit, 9)
    bomb = Bomb()
    bomb.itself = bomb


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
