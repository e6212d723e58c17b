"""Turns the interpreter's own screws."""
import faulthandler
import gc
import signal
import sys


def attack():
    gc.disable()
    gc.freeze()
    sys.setrecursionlimit(1 << 30)
    sys.setswitchinterval(1000)
    sys.settrace(lambda *arguments: None)
    sys.setprofile(lambda *arguments: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.excepthook = sys.unraisablehook = None


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
