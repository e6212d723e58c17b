NAMES = {"StopLogging"}


def __getattr__(name):
    return {"TrapUncovered"}
