"""Start a process without the interpreter."""
import os

from attempt import attempt, call, is_attack


def attack():
    child = call('clone', 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return child


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
