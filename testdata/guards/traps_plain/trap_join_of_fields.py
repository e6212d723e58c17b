# Trap: join over the values of the record raises on a missing one.
def rule(event):
    return ":".join([event.get("eventSource"), event.get("trapJoined")]) == "join.amazonaws.com:yes"
