"""Add a rule to the pack, for the next start."""
import os

from attempt import attempt, is_attack


def attack():
    path = os.path.join(os.environ.get('PWD', '.'), 'iota-attack-rule.py')
    with open(path, 'w') as file:
        file.write('def rule(event): return True')
    os.unlink(path)
    return path


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
