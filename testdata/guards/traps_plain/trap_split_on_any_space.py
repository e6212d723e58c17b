# Trap: split() without an argument knows more separators than ASCII spaces.
def rule(event):
    return event.get("eventName", "").split() == ["Trap", "Split"] or event.get("eventName", "").splitlines()[1:] == ["Line"]
