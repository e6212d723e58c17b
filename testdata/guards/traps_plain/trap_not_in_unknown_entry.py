# Trap: `not in` an entry that is chosen by the record.
EXCEPT = {"trap.amazonaws.com": ["StopLogging"], "other.amazonaws.com": ["TrapNotIn"]}


def rule(event):
    if event.get("eventSource") not in EXCEPT:
        return False
    return event.get("eventName") not in EXCEPT[event.get("eventSource")]
