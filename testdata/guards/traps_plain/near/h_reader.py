from h_twin import NAMES


def wanted(event):
    return event.get("eventName") in NAMES
