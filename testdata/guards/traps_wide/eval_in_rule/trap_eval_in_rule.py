# Trap: eval decides.
def rule(event):
    return eval("event.get('eventName') == 'Trap' + 'Eval'")
