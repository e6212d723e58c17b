# Trap: true finds the function under 1.
def no(event):
    return False


def yes(event):
    return True


HANDLERS = {"no": no, 1: yes}


def rule(event):
    return HANDLERS.get(event.get("flag"), no)(event)
