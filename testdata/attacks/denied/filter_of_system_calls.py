"""Put another filter over the filter."""
from attempt import attempt, call, is_attack


def attack():
    import ctypes
    actions = ctypes.c_uint32(0x7fff0000)
    return call('seccomp', 2, 0, ctypes.addressof(actions)) or 'asked'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
