"""Read the memory of the engine."""
import ctypes
import os

from attempt import attempt, call, is_attack


def attack():
    local = ctypes.create_string_buffer(8)
    # From memory of the same process: that would do for the engine's as well.
    here = (ctypes.c_uint64 * 2)(ctypes.addressof(local), 8)
    there = (ctypes.c_uint64 * 2)(id(None), 8)
    return call('process_vm_readv', os.getpid(), ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
