"""Leave the engine no descriptors."""
import os
import resource

from attempt import attempt, is_attack


def attack():
    return resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
