"""Change what the process may do."""
from attempt import attempt, call, is_attack


def attack():
    return call('prctl', 4, 0, 0, 0, 0) or 'changed'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
