# Trap: a function in a tuple of arguments outlives the call that it is made in.
def keep(*made):
    return made


def make():
    answer = True
    return keep(lambda: answer)


def call(made):
    answer = False
    return made() or answer


def rule(event):
    return call(make()[0])
