"""Look for an open file or socket among all numbers."""
import os
import stat

from attempt import attempt, is_attack


def attack():
    # The pipes of the protocol and /dev/null are known to be there.
    harmless = (stat.S_IFIFO, stat.S_IFCHR)
    for number in range(1024):
        try:
            kind = stat.S_IFMT(os.fstat(number).st_mode)
        except OSError:
            continue
        if kind not in harmless:
            return number, oct(kind)
    raise PermissionError('nothing but pipes')


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
