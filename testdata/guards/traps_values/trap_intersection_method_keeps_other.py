# Trap: so does `intersection`.
ONE = {1}.intersection([True])


def rule(event):
    return any(f"{one}" == "True" for one in ONE)
