"""Have the kernel tell of files that others open."""
from attempt import attempt, call, is_attack


def attack():
    return call('inotify_init1', 0)



AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
