"""Write a file."""
from attempt import attempt, is_attack, made


def attack():
    with made('file') as path, open(path, 'w') as file:
        return file.write('x')


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
