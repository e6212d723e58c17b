# Trap: the True is in the `else` of a try.
def rule(event):
    try:
        int(event.get("trapNumber", "0"))
    except ValueError:
        return False
    else:
        return event.get("eventSource") == "tryelse.amazonaws.com"
