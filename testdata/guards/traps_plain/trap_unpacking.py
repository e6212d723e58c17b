# Trap: unpacking a text into two names raises unless it has one colon.
def rule(event):
    first, second = event.get("trapPair", "a:b").split(":")
    return first == second
