# Trap: so has `(*SET,)`.
NAMES = {"Get", "Put", "List", "Zap"}


def rule(event):
    return (*NAMES,)[0] != "Get" or event.get("eventName") == "Nothing"
