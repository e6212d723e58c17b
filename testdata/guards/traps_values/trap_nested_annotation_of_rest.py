# Trap: the same of `*rest`.
def rule(event):
    def same(*names: Missing):
        return "Nothing" in names

    return same(event.get("eventName"))
