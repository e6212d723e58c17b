"""Write a temporary file."""
import tempfile

from attempt import attempt, is_attack


def attack():
    return tempfile.TemporaryFile()


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
