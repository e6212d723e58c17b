"""Make a directory."""
import os
import tempfile

from attempt import attempt, is_attack


def attack():
    path = os.path.join('/tmp', f'iota-attack-{os.getpid()}-directory')
    os.mkdir(path)
    os.rmdir(path)
    return path


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
