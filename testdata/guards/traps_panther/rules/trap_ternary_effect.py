# Trap: the condition of the conditional expression has the effect.
QUEUE = []


def rule(event):
    return False if not QUEUE.append(event.get("eventName")) and len(QUEUE) < 3 else event.get("eventName") == "TrapQueue"
