"""Have the kernel do it: its rings pass filters by."""
import ctypes

from attempt import attempt, call, is_attack


def attack():
    parameters = (ctypes.c_char * 120)()
    return call('io_uring_setup', 1, ctypes.addressof(parameters))


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
