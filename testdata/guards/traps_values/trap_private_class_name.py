# Trap: outside the class a name with two leading underscores has no value.
class Names:
    __WANTED = ("StopLogging",)


def rule(event):
    return event.get("eventName") in Names.__WANTED
