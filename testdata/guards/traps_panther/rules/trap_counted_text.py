# Trap: `count`, `find` and `index` give numbers; -1 is true, index raises.
def rule(event):
    name = str(event.get("eventName"))
    return bool(name.find("Trap")) and name.index("ound") > 0
