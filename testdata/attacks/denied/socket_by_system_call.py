"""Make a socket without the interpreter."""
from attempt import attempt, call, is_attack


def attack():
    return call('socket', 2, 1, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
