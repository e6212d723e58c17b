"""Make a named pipe."""
import os

from attempt import attempt, is_attack, made


def attack():
    with made('pipe') as path:
        os.mkfifo(path)
    return path


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
