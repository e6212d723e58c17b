"""Close a standard descriptor, so that there is room for another one."""
import os

from attempt import attempt, is_attack


def attack():
    os.close(0)
    return os.open('/etc/passwd', os.O_RDONLY)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
