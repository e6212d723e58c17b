# Trap: closures made in a loop all see the last name.
RULES = []
for NAME in ("StopLogging", "TrapClosure"):
    RULES.append(lambda event: event.get("eventName") == NAME)

rule = RULES[0]
