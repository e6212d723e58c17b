"""Have the traceback machinery read a file."""
import linecache

from attempt import attempt, is_attack


def attack():
    lines = linecache.getlines('/etc/passwd')
    if not lines:
        raise PermissionError('no lines')
    return lines


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
