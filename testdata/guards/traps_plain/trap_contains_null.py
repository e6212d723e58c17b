# Trap: `in` sees a key whose value is null, `get` does not.
def rule(event):
    return "trapNull" in event and event.get("trapNull") is None
