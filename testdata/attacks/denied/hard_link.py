"""Make another name for a file."""
import os

from attempt import attempt, is_attack, made


def attack():
    with made('name') as path, made('other') as other:
        open(path, 'w').close()
        os.link(path, other)
    return path


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
