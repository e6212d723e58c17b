# Trap: lower() of İ is two characters, lower() of the Kelvin sign is k.
def rule(event):
    return event.get("eventName", "").lower() in ("trapk", "trapi\u0307")
