"""Read the environment that the process was started with."""
from attempt import attempt, is_attack


def attack():
    return open('/proc/self/environ', 'rb').read()


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
