# Trap: of several other spellings the first in the document counts.
def rule(event):
    return event.get("TRAPKEY") == "first"
