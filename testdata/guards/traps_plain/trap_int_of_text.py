# Trap: int() of a text that is no number raises; of " 7_0 " it does not.
def rule(event):
    return int(event.get("trapInt", "0")) == 70
