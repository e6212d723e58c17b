"""Talk through a name that no file system holds."""
import os
import socket

from attempt import attempt, is_attack


def attack():
    return socket.socket(socket.AF_UNIX).bind(f'\0iota-attack-{os.getpid()}')


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
