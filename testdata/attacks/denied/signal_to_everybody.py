"""End every process of the user."""
import os

from attempt import attempt, is_attack


def attack():
    return os.kill(-1, 0) or 'they would be gone'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
