# Trap: equality of objects minds case, their look-ups do not.
def rule(event):
    found = event.get("requestParameters", {})
    return found != {"trapcase": 1} and found.get("trapcase") == 1
