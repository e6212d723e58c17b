"""Lift the limits of the worker."""
import resource

from attempt import attempt, is_attack


def attack():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return resource.setrlimit(resource.RLIMIT_NOFILE, (most or 99, most or 99)) or 'lifted'


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
