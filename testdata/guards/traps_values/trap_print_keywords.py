# Trap: `print` looks at its keywords.
def rule(event):
    print("a", "b", sep=event.get("number"))
    return False
