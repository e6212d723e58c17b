"""Make a world of one's own."""
from attempt import attempt, call, is_attack


def attack():
    return call('unshare', 0x00000400) or 'unshared'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
