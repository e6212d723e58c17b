"""Leave messages for another process, by a name that both know."""
from attempt import attempt, call, is_attack


def attack():
    queue = call('mq_open', b'iota-attack\0', 0o100 | 2, 0o600, 0)
    call('mq_unlink', b'iota-attack\0')
    return queue



AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
