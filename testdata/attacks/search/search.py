"""Looks for a credential of the engine wherever a rule can look: above all in all memory of its process.

The record holds another text of the same form, which has to be found: else this has not looked."""
import ctypes
import errno
import gc
import mmap
import os
import re

# Written so that it does not find itself.
CREDENTIAL = re.compile(rb"planted[-]credential")
CONTROL = re.compile(rb"control[-]credential")
PAGE = mmap.PAGESIZE
# Reads a set of signals before it finds that it was not asked to do anything with it.
SIGPROCMASK, NOTHING, SET_SIZE = {"x86_64": 14, "aarch64": 135}[os.uname().machine], 99, 8
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.sbrk.restype = ctypes.c_void_p


def is_readable(page):
    if page <= 0:
        return False
    LIBC.syscall(ctypes.c_long(SIGPROCMASK), ctypes.c_long(NOTHING), ctypes.c_void_p(page), None, ctypes.c_long(SET_SIZE))
    return ctypes.get_errno() == errno.EINVAL


def starts():
    """Addresses in every kind of memory there is: heap, objects, stack with the environment, libraries."""
    yield LIBC.sbrk(0) - 1
    variables = ctypes.c_void_p.in_dll(LIBC, "environ")
    yield ctypes.addressof(variables)
    if variables.value:
        yield variables.value
        first = ctypes.c_void_p.from_address(variables.value).value
        if first:
            yield first
    for function in (LIBC.getenv, ctypes.pythonapi.Py_IsInitialized):
        yield ctypes.cast(function, ctypes.c_void_p).value
    for item in gc.get_objects():
        yield id(item)
        if type(item) is dict:
            yield from (id(value) for value in list(item.values()))


def regions():
    """Every stretch of readable memory around one of those addresses, once."""
    seen = set()
    for address in starts():
        page = address - address % PAGE
        if page in seen or not is_readable(page):
            continue
        first, end = page, page + PAGE
        while first - PAGE not in seen and is_readable(first - PAGE):
            first -= PAGE
        while end not in seen and is_readable(end):
            end += PAGE
        seen.update(range(first, end, PAGE))
        yield first, end - first


def files():
    for path in ("/proc/self/environ", f"/proc/{os.getppid()}/environ", f"/proc/{os.getppid()}/cmdline"):
        try:
            with open(path, "rb") as file:
                yield file.read()
        except OSError:
            pass


def rule(event):
    return event.get("eventName") == "Attack"


def alert_context(event):
    found, control, searched = [], False, 0
    for first, size in regions():
        memory = ctypes.string_at(first, size)
        searched += size
        found += [f"memory at {first + hit.start():#x}" for hit in CREDENTIAL.finditer(memory)]
        control = control or CONTROL.search(memory) is not None
        del memory
    found += ["environment" for value in os.environb.values() if CREDENTIAL.search(value)]
    found += ["file" for text in files() if CREDENTIAL.search(text)]
    return {"found": found, "control": control, "searched": searched}
