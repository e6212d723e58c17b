"""Have the import system read a file."""
from importlib.machinery import SourceFileLoader

from attempt import attempt, is_attack


def attack():
    return SourceFileLoader('passwd', '/etc/passwd').get_data('/etc/passwd')


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
