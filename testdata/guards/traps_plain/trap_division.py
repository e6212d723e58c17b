# Trap: a division by a number of the record raises on 0.
def rule(event):
    return 10 / event.get("trapDivisor", 1) > 100
