# Trap: key case at a nested level, by deep_get and by subscripts.
def rule(event):
    return event.deep_get("userIdentity", "type") == "TrapCaseType" or event.get("eventname") == "TrapCaseLow"
