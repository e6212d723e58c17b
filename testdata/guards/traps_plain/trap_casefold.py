# Trap: casefold() makes ss of ß, upper() too.
def rule(event):
    name = event.get("eventName", "")
    return name.casefold() == "trapss" or name.upper() == "TRAPSSX"
