# Trap: so has a loop over it.
NAMES = {"a", "b", "c", "d", "e", "f", "g"}


def first():
    for name in [*NAMES]:
        return name


def rule(event):
    return first() != "a"
