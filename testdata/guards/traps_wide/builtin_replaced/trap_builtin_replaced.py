# Trap: a builtin is replaced for every module, by a file that no rule of interest names.
import h_builtin  # noqa: F401


def rule(event):
    return len(event.get("eventName") or "") == 77
