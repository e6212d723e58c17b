EXPECTED = ["NoSuchBucket"]
NAMES = {"TrapTwoNames"}


def call_succeeded(event):
    return bool(event.get("errorCode"))


def collect(event, found=[]):  # noqa: B006
    found.append(event.get("eventName"))
    return found


def reasons(event):
    if event.get("eventName") == "StopLogging":
        yield "stopped"
