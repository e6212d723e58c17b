# Trap: strip() removes spaces that are not ASCII, isdigit() knows other digits.
def rule(event):
    name = event.get("eventName", "")
    return name.strip() == "TrapSpace" or name.isdigit()
