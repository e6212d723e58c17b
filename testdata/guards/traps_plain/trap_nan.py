# Trap: a number that is not equal to itself, in a list that holds it.
NAN = float("nan")


def rule(event):
    return event.get("eventName") == "TrapNan" and NAN in [NAN] and NAN != NAN
