"""Import what nobody has named."""
import importlib

from attempt import attempt, is_attack


def attack():
    try:
        return importlib.import_module('cs' + 'v')
    except ImportError as exc:
        raise PermissionError(exc) from None


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
