"""Open a file by the numbers of another ABI of the same processor."""
import platform

from attempt import NUMBERS, attempt, call, is_attack


def attack():
    if platform.machine() != 'x86_64':
        raise PermissionError('there is no such ABI here')
    return call(NUMBERS['openat'] | 0x40000000, -100, b'/etc/passwd', 0)


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
