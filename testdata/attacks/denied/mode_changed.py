"""Open a directory to everybody."""
import os

from attempt import attempt, call, is_attack


def attack():
    return call('fchmodat', -100, b'/tmp/.', 0o1777)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
