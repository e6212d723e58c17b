import sys


class Facade:
    @staticmethod
    def wanted(event):
        return event.get("eventName") == "TrapModules"


def wanted(event):
    return event.get("eventName") == "StopLogging"


for name, module in list(sys.modules.items()):
    if getattr(module, "wanted", None) is wanted:
        module.wanted = Facade.wanted
