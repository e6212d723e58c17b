# Trap: the decorator turns the answer round.
def inverted(function):
    def call(event):
        return not function(event)

    return call


@inverted
def rule(event):
    return event.get("eventSource") != "decorated.amazonaws.com"
