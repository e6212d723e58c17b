# Trap: a type that is a local variable by now, or not yet.
def rule(event):
    def same(name: str):
        return name == "Nothing"

    if same(event.get("eventName")):
        return True
    str = "Nothing"
    return str == event.get("eventName")
