"""Share memory with other processes by a number."""
from attempt import attempt, call, is_attack


def attack():
    segment = call('shmget', 0, 4096, 0o1600)
    call('shmctl', segment, 0, 0)
    return segment


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
