"""Leave something in the kernel's key ring."""
from attempt import attempt, call, is_attack


def attack():
    return call('keyctl', 0, -3, 0, 0, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
