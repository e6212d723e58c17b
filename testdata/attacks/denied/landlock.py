"""Make a ruleset."""
import ctypes

from attempt import attempt, call, is_attack


def attack():
    handled = ctypes.c_uint64(1)
    return call('landlock_create_ruleset', ctypes.addressof(handled), 8, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
