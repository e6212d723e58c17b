# Trap: two metadata files name one Python file; the module has one state.
COUNT = []


def rule(event):
    COUNT.append(1)
    return event.get("eventName") == "TrapShared" and len(COUNT) % 3 == 1
