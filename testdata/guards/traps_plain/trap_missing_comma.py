# Trap: two literals without a comma are one.
NAMES = [
    "StopLogging"
    "TrapComma",
    "\x54rap\N{LATIN SMALL LETTER E}scape",
]


def rule(event):
    return event.get("eventName") in NAMES
