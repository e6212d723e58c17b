# Trap: the helper calls itself for nested values.
def holds(value, text):
    if isinstance(value, dict):
        return any(holds(one, text) for one in value.values())
    if isinstance(value, list):
        return any(holds(one, text) for one in value)
    return value == text


def rule(event):
    return holds(event, "trap-recursion")
