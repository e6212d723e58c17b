# Trap: too many calls inside each other raise.
def depth(number):
    return 0 if number <= 0 else 1 + depth(number - 1)


def rule(event):
    return depth(event.get("trapDepth", 0)) > 5
