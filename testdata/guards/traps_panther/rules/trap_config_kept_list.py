# Trap: a list of the configuration is changed in place.
from iota_rule import config

NAMES = list(config("trap_names"))
NAMES.append("TrapConfigured")


def rule(event):
    return event.get("eventName") in NAMES
