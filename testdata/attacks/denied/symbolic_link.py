"""Make a link to a file that the engine may read."""
import os

from attempt import attempt, is_attack, made


def attack():
    with made('link') as path:
        os.symlink('/etc/passwd', path)
    return path


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
