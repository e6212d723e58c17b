# Trap: the same, where the call that is over had more variables.
def keep(*made):
    return made


def make():
    one = two = three = four = five = six = True
    return keep(lambda last: last and one and two and three and four and five and six)


def call(made):
    return made(True)


def rule(event):
    return call(make()[0])
