"""Describes a match without measure."""


def attack():
    return 'x' * 20_000_000


def rule(event):
    return event.get("eventName") == "Attack"


def title(event):
    return attack()


def dedup(event):
    return attack()


def description(event):
    return attack()


def destinations(event):
    return [attack()] * 20


def alert_context(event):
    nested = {}
    for _ in range(100_000):
        nested = {"nested": nested}
    return {"text": attack(), "nested": nested}
