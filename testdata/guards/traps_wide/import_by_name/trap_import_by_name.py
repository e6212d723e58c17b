# Trap: importlib gives the helper under a name that no import statement has.
import importlib

h_names = importlib.import_module("h_" + "names")
h_names.NAMES.add("TrapByName")


def rule(event):
    from h_names import NAMES

    return event.get("eventName") in NAMES
