"""Wait for connections."""
import socket

from attempt import attempt, is_attack


def attack():
    return socket.create_server(('127.0.0.1', 0))


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
