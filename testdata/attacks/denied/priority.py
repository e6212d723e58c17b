"""Take the processor from others."""
import os

from attempt import attempt, is_attack


def attack():
    return os.setpriority(os.PRIO_PROCESS, 0, 0) or 'changed'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
