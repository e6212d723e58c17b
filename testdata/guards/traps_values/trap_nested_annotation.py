# Trap: annotations of a nested function are evaluated where it is defined.
def rule(event):
    def same(name: Optional) -> bool:
        return name == "Nothing"

    return same(event.get("eventName"))
