"""Fails with a message of 20 MB."""


def attack():
    raise ValueError('x' * 20_000_000)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
