# Trap: `rule` is defined in both branches of an if.
DEBUG = len("x") == 2
if DEBUG:
    def rule(event):
        return event.get("eventName") == "StopLogging"
else:
    def rule(event):
        return event.get("eventName") == "TrapBranch"
