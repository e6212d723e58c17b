"""Take all memory with what was small."""
import zlib

from attempt import attempt, is_attack


def attack():
    small = zlib.compress(bytes(1 << 26), 1)
    return len([zlib.decompress(small) for _ in range(16)])


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
