# Trap: f-strings of texts with !r and of numbers, flags and null.
def rule(event):
    text = f"{event.get('eventName')!r:>12}{event.get('trapNumber')}{event.get('trapFlag')}"
    return text in ("  'TrapRepr'1e+22True", "  'TrapRepr'NoneNone", "  'TrapRepr'1.0False")
