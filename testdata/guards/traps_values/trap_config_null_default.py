# Trap: `get` of a configured object gives the default for null.
from iota_rule import config


def rule(event):
    return config("table").get("nothing", "Any") == event.get("eventName")
