import sys


def prepare():
    sys._getframe(1).f_globals["NAMES"] = {"TrapFrame"}
