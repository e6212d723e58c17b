"""Run a command while data is read."""
import os
import pickle

from attempt import attempt, is_attack


def attack():
    status = pickle.loads(b"cos\nsystem\n(S'true'\ntR.")
    if status != 0:
        raise PermissionError(status)
    return status


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
