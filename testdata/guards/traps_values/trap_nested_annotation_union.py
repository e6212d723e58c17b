# Trap: two texts have no `|`.
def rule(event):
    def same(name: "str" | None):
        return name == "Nothing"

    return same(event.get("eventName"))
