# Trap: where the branch is not taken, the name has no value.
def rule(event):
    if event.get("eventName") == "Other":
        import re
    return bool(re.match("x", "y"))
