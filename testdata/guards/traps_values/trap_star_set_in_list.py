# Trap: `[*SET]` has the order of the set.
NAMES = {"a", "b", "c", "d", "e", "f", "g"}
LIST = [*NAMES]


def rule(event):
    return LIST[0] != "a"
