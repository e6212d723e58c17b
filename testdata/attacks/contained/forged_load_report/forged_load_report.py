"""Says of itself that all its rules are fine."""
import sys


def of_worker(name):
    """An attribute of one of the objects whose functions are running."""
    frame = sys._getframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if hasattr(owner, name):
            return getattr(owner, name)
        frame = frame.f_back
    raise LookupError(name)


def attack():
    channel = of_worker('_channel')
    channel.write('l', b'{"protocol":1,"python":"9.9.9","rules":[]}')


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
