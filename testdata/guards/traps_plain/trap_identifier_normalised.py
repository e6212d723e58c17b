# Trap: full-width letters make the same identifier, so the constant is bound twice.
NAMES = {"StopLogging"}
ＮＡＭＥＳ = {"TrapIdentifier"}


def rule(event):
    return event.get("eventName") in NAMES
