"""Run a command."""
import os

from attempt import attempt, is_attack


def attack():
    status = os.system('true')
    if status != 0:
        raise PermissionError(status)
    return status


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
