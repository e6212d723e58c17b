# Trap: deep_get takes the default for null; the global helper of the same name does not.
from trap_getters import deep_get


def rule(event):
    return deep_get(event, "requestParameters", "name", default="trap") is None
