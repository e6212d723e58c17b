"""Share memory with other processes by a name."""
import os
import _posixshmem

from attempt import attempt, is_attack


def attack():
    name = f'/iota-attack-{os.getpid()}'
    descriptor = _posixshmem.shm_open(name, os.O_CREAT | os.O_RDWR)
    _posixshmem.shm_unlink(name)
    return descriptor


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
