def rule(event):
    return event.get("eventName") in ("CreateKeyPair", "ImportKeyPair")
