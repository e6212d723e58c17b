"""Take control of the engine."""
import os

from attempt import attempt, call, is_attack


def attack():
    return call('ptrace', 16, os.getppid(), 0, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
