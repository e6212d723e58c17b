"""Fails with an exception that cannot be shown."""


def attack():
    class Odd(Exception):
        def __str__(self):
            raise self
        __repr__ = __str__
    raise Odd


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
