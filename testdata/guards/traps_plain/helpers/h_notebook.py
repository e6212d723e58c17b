NOTED = []


def note(source):
    NOTED.append(source)


def noted(source):
    return source in NOTED
