# Trap: 1, 1.0 and True are three values to `deep_walk`.
def rule(event):
    return len(event.deep_walk("items", "n", default=[])) == 3
