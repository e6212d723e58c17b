# Trap: upper() of the name is compared to a text that is not upper case.
def rule(event):
    return event.get("eventName", "").upper() == "TRAPUPPERSS" or event.get("eventName", "").title() == "Trap_Title"
