# Trap: the same with the arguments of a lambda.
def rule(event):
    keep = lambda *made: made
    make = lambda answer: keep(lambda: answer)
    made = make(True)[0]
    call = lambda answer, made: made() or answer
    return call(False, made)
