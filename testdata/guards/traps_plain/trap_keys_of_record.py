# Trap: the number and the order of the record's keys decide.
def rule(event):
    return len(event) == 2 or list(event)[0] == "trapFirst"
