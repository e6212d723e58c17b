import h_checks


def patched(event):
    return event.get("eventName") == "TrapPatched"


h_checks.wanted = patched
