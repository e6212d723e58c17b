"""Does not return."""


def attack():
    while True:
        pass


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
