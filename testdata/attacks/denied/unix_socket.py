"""Talk to a service of the machine, such as that of containers."""
import socket

from attempt import attempt, is_attack


def attack():
    return socket.socket(socket.AF_UNIX)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
