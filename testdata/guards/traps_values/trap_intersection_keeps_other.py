# Trap: of two elements that are equal, `&` keeps that of the right.
ONE = {1} & {True}


def rule(event):
    return any(f"{one}" == "True" for one in ONE)
