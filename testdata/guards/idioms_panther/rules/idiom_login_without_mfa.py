def signed_in(event):
    return event.get("eventName") == "ConsoleLogin" and event.deep_get("responseElements", "ConsoleLogin") == "Success"


def rule(event):
    if not signed_in(event):
        return False
    return event.deep_get("additionalEventData", "MFAUsed", default="No") == "No"
