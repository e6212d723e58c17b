# Trap: zip stops at the shorter one, enumerate starts at 1.
def rule(event):
    for index, (key, value) in enumerate(zip(["eventSource", "eventName"], ["zip.amazonaws.com"]), 1):
        if event.get(key) != value or index != 1:
            return False
    return True
