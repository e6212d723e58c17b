from idiom_calls import SERIAL_CONSOLE as WATCHED


def rule(event):
    return event.get("eventName") in WATCHED
