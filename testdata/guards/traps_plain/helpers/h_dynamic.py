def __getattr__(name):
    if name == "NAMES":
        return {"TrapDynamic"}
    raise AttributeError(name)
