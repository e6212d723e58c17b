# Trap: a function made in a call that is over keeps the variables of that call.
def make(name):
    return [lambda: name]


def use(wrong, made):
    return made()


def rule(event):
    made = make(event.get("eventName"))[0]
    return use("wrong", made) == "Any"
