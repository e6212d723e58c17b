"""Start a process."""
import os

from attempt import attempt, is_attack


def attack():
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
