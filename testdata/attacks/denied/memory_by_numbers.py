"""Take all memory with one number."""
from attempt import attempt, is_attack


def attack():
    return (1 << (1 << 35)).bit_length()


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
