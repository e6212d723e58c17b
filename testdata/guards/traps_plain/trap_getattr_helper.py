# Trap: the attributes of the helper object are made up on the way.
class Facade:
    def __getattr__(self, name):
        return lambda event: event.get("eventName") == "TrapFacade"


checks = Facade()


def rule(event):
    return checks.is_stop_logging(event)
