"""Watch what the processor does, with the counters of the kernel."""
import ctypes

from attempt import attempt, call, is_attack


def attack():
    attributes = (ctypes.c_uint32 * 32)(1, 128)
    return call('perf_event_open', ctypes.addressof(attributes), 0, -1, -1, 0)



AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
