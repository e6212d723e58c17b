# Trap: `any` and `all` come from a helper and answer differently.
from h_quantifiers import all, any


def rule(event):
    return any(event.get("eventName") == name for name in ("StopLogging",)) and all([event.get("noSuchField")])
