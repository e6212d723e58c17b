"""Start a process by the newer call, whose flags no filter sees."""
import ctypes
import os

from attempt import attempt, call, is_attack


def attack():
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = 17
    child = call('clone3', ctypes.addressof(arguments), ctypes.sizeof(arguments))
    if child == 0:
        os._exit(0)
    return child


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
