"""Choose the processor."""
import os

from attempt import attempt, is_attack


def attack():
    return os.sched_setaffinity(0, os.sched_getaffinity(0)) or 'changed'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
