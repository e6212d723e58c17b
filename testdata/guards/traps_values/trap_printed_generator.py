# Trap: what is printed is the generator, it does not run.
def rule(event):
    try:
        print(d["x"] for d in [{}])
    except KeyError:
        return False
    return True
