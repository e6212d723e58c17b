# Trap: split raises where its limit is no number.
def rule(event):
    event["eventName"].split(",", "x")
    return event["eventName"] == "TrapSplitArguments"
