# Trap: an object of the record is compared to a dict.
def rule(event):
    return event.get("requestParameters") == {"trap": 1, "list": [1.0]}
