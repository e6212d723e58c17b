# Trap: adds to a list that another rule reads; the import alone has the effect.
import h_common_list as common

common.NAMES.append("TrapFromLaterRule")


def rule(event):
    return event.get("eventName") == "TrapFromLaterRule" and len(common.NAMES) > 1
