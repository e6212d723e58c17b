"""Become another program."""
import os

from attempt import attempt, is_attack


def attack():
    os.execv('/bin/true', ['true'])


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
