# Trap: the key is put together from another field.
def rule(event):
    return event.get(f"{event.get('eventType', '')[:5]}Name") == "StopLogging"
