# Trap: the global module is the same by its id and by its file's name.
import trap_codes
import code_lists


def rule(event):
    return trap_codes is code_lists and event.get("eventName") in code_lists.NAMES
