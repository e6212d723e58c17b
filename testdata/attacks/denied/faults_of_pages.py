"""Have the kernel wait for this process in the middle of a call."""
from attempt import attempt, call, is_attack


def attack():
    return call('userfaultfd', 1)



AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
