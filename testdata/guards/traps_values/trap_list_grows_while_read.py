# Trap: a loop sees what it appends.
def rule(event):
    found = ["a"]
    rounds = []
    for name in found:
        rounds.append(name)
        if len(found) < 3:
            found.append(name)
    return len(rounds) == 3
