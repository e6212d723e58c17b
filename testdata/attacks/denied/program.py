"""Start a program, as scripts do."""
import subprocess

from attempt import attempt, is_attack


def attack():
    return subprocess.run(['/bin/true'])


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
