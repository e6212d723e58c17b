"""Leave messages for another process, by a key that both know."""
from attempt import attempt, call, is_attack


def attack():
    queue = call('msgget', 0x696f7461, 0o1600)
    return call('msgctl', queue, 0, 0)



AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
