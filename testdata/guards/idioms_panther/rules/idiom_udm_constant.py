HIDING = {"trail_removed", "trail_paused"}


def rule(event):
    return event.udm("event_type") in HIDING
