# Trap: 0.1 + 0.2 is not 0.3, and an int beyond 2**53 is not the float nearest to it.
def rule(event):
    number = event.get("trapFloat")
    return number == 0.1 + 0.2 or number == 2**53 + 1
