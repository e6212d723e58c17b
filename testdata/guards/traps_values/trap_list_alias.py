# Trap: a list that grows under another name.
def rule(event):
    found = []
    other = found
    found.append(event.get("eventName"))
    return len(other) == 1
