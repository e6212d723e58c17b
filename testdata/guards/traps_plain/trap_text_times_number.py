# Trap: the name is put together by repetition and %.
def rule(event):
    return event.get("eventName") == "%s%s" % ("Trap", "Ab" * 2)
