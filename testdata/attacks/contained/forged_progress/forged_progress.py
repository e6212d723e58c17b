"""Says that it gets on, and does not."""
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
    progress = of_worker('_progress')
    while True:
        progress[0] = (progress[0] + 1) % (1 << 64)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
