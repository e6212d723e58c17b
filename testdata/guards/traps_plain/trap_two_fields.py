# Trap: two fields are compared, and two missing fields are equal.
def rule(event):
    return event.get("trapOne") == event.get("trapTwo") and event.get("eventSource") == "fields.amazonaws.com"
