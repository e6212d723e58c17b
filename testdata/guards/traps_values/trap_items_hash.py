# Trap: `in items()` asks for a hash.
D = {"a": 1}


def rule(event):
    return (event.get("v"), 1) in D.items()
