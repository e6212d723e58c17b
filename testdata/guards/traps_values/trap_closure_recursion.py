# Trap: a nested function that calls itself from a comprehension has a variable for each call.
def rule(event):
    def deep(n):
        return any((n > 0 and deep(n - 1)) or m == 2 and n == 2 for m in [n])

    return deep(2) and event.get("eventName") == "Any"
