"""Take the room on the disk."""
import os

from attempt import attempt, is_attack, made


def attack():
    with made('large') as path:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
        os.posix_fallocate(descriptor, 0, 1 << 16)
        os.close(descriptor)
    return path


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
