# Trap: numbers in other spellings and of other types are equal.
NUMBERS = {0x10, 1_000, 2e3, 3 + 0j}


def rule(event):
    return event.get("trapNumber") in NUMBERS and event.get("eventName") != "StopLogging"
