# Trap: setattr under another name.
import builtins as b

import h_names

put = b.setattr
put(h_names, "NAMES", {"TrapRenamedSetattr"})


def rule(event):
    return event.get("eventName") in h_names.NAMES
