# Trap: `rule` is a lambda in a conditional expression.
rule = (lambda event: event.get("eventName") == "TrapLambda") if len("ab") == 2 else (lambda event: False)
