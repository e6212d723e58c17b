# Trap: the helper's list of codes is extended by the module that imports it.
import trap_codes

trap_codes.EXPECTED.append("TrapCode")


def rule(event):
    return event.get("errorCode") in trap_codes.EXPECTED
