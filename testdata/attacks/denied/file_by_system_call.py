"""Open a file without the interpreter."""
import os

from attempt import attempt, call, is_attack


def attack():
    return call('openat', -100, b'/etc/passwd', os.O_RDONLY)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
