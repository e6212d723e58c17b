# Trap: the loop goes through the parents of the identity until it finds one.
def rule(event):
    inner = event.get("userIdentity")
    while inner.get("next") is not None:
        inner = inner.get("next")
    return inner.get("name") == "trap-while"
