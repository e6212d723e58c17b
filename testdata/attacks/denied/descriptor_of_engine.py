"""Get hold of the engine, and of its open files."""
import os

from attempt import attempt, call, is_attack


def attack():
    return call('pidfd_open', os.getppid(), 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
