# Trap: the same of what it returns.
def refuse(text):
    raise RuntimeError(text)


def rule(event):
    def same(name) -> refuse("a record"):
        return name == "Nothing"

    return same(event.get("eventName"))
