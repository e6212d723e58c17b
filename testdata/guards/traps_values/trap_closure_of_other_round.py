# Trap: a function made in one call of a nested function is called in another one.
def rule(event):
    def ask(answer, made):
        return made() if made else ask(False, lambda: answer)

    return ask(True, None)
