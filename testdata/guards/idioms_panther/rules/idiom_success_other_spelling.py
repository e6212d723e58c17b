from idiom_base import worked

NAMES = ("DeleteParameter", "DeleteParameters")


def rule(event):
    return worked(event) and event.get("eventName") in NAMES
