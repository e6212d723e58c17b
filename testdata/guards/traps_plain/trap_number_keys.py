# Trap: number keys of a dict, found by 1, 1.0 and True, not by "1".
PORTS = {1: "one", 22: "ssh"}


def rule(event):
    return event.get("trapPort") in PORTS
