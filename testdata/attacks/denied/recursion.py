"""Exhaust the stack."""
from attempt import attempt, is_attack


def attack():
    def deeper(n):
        return deeper(n + 1)
    return deeper(0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
