# Trap: [] on a missing key raises, although the next condition would be False.
def rule(event):
    return event["trapRequired"] == "yes" and event.get("eventName") == "StopLogging"
