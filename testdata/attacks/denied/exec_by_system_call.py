"""Become another program without the interpreter."""
from attempt import attempt, call, is_attack


def attack():
    return call('execveat', -100, b'/bin/true', 0, 0, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
