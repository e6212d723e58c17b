# Trap: so is a global of a method.
_Tool__NAME = "StopLogging"


class Tool:
    def change(self):
        global __NAME
        __NAME = "StartLogging"


Tool().change()


def rule(event):
    return event.get("eventName") == _Tool__NAME
