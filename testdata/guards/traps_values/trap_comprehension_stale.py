# Trap: a variable of a comprehension is not bound when it starts anew.
def rule(event):
    def look(on):
        return [1 for x in (1,) if on or y for y in (0,)]

    look(True)
    return len(look(False)) == 7
