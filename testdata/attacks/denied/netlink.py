"""Ask the kernel about its network."""
import socket

from attempt import attempt, is_attack


def attack():
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
