# Trap: `:=` inside a lambda binds a name of the lambda, not of the function.
def rule(event):
    name = "kept"
    look = lambda e: (name := e.get("eventName"))
    look(event)
    return name == "kept"
