# Trap: startswith with an offset, with the empty text and with no prefix at all.
def rule(event):
    name = event.get("eventName", "")
    if event.get("eventSource") != "starts.amazonaws.com" or name.startswith(()):
        return False
    return name.startswith("Forms", 4) or name.startswith("", 99) or name.endswith(("", "x"))
