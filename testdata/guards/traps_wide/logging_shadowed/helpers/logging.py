SEEN = []


def warning(text, name):
    SEEN.append(name)
    if name == "TrapShadow":
        raise LookupError(text % name)
