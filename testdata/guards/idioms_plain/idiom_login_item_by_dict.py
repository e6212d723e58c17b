WHAT = {
    "DeactivateMFADevice": "deactivated",
    "DeleteVirtualMFADevice": "deleted",
    "ResyncMFADevice": "synchronised again",
}


def rule(event):
    return event.get("eventName") in WHAT


def title(event):
    return f"Second factor {WHAT[event.get('eventName')]}"
