NAMES = ["CreateTrafficMirrorSession", "CreateTrafficMirrorTarget"]


def rule(event):
    return any(event.get("eventName") == name for name in NAMES)
