# Trap: an object of the record is no dict, yet equals one.
def rule(event):
    found = event.get("requestParameters")
    return not isinstance(found, dict) and found == {"Trap": 1}
