# Trap: a list of the record in a set membership raises, in a tuple it does not.
def rule(event):
    return event.get("trapItems") in ("a", ("a", "b")) or event.get("trapItems") in {"a"}
