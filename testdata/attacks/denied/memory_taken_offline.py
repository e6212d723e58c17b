"""Take a page of the machine's memory out of use: a right of who may administer it."""
import ctypes
import mmap

from attempt import attempt, call, is_attack

SOFT_OFFLINE = 101  # of madvise


def attack():
    page = mmap.mmap(-1, mmap.PAGESIZE)
    page[0] = 1
    here = ctypes.c_char.from_buffer(page)
    try:
        return call('madvise', ctypes.addressof(here), mmap.PAGESIZE, SOFT_OFFLINE)
    finally:
        del here
        page.close()


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
