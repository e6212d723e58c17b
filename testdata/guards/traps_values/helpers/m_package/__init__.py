names = ("StopLogging",)


def check(event):
    return event.get("eventName") in names


def check_all(event):
    return all(name == event.get("eventName") for name in ("StopLogging",))
