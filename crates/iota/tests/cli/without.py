"""Runs a command on a kernel that seems to lack something: `without.py WHAT COMMAND...`."""
import ctypes
import os
import platform
import sys

X86_64 = platform.machine() == "x86_64"
ARCH = 0xC000003E if X86_64 else 0xC00000B7
SECCOMP, PRCTL = (317, 157) if X86_64 else (277, 167)
LANDLOCK_CREATE, LANDLOCK_RESTRICT = 444, 446
EPERM, ENOSYS = 1, 38
# Calls that fail: number, place and value of an argument (None: whatever the arguments are), error.
DENIED = {
    # As a container does whose seccomp profile does not permit seccomp.
    "seccomp": [(SECCOMP, None, EPERM), (PRCTL, (0, 22), EPERM)],
    # The engine may, and the worker, which asks for all its threads, may not.
    "inner-seccomp": [(SECCOMP, (1, 1), EPERM)],
    "landlock": [(LANDLOCK_CREATE, None, ENOSYS)],
    # There is Landlock, and the worker may not use it.
    "inner-landlock": [(LANDLOCK_RESTRICT, None, EPERM)],
}
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(Instruction))]


def instructions(denied):
    yield LOAD, 0, 0, 4
    yield IF_EQUAL, 1, 0, ARCH
    yield RETURN, 0, 0, ALLOW
    yield LOAD, 0, 0, 0
    for number, argument, error in denied:
        if argument is None:
            yield IF_EQUAL, 0, 1, number
        else:
            place, value = argument
            yield IF_EQUAL, 0, 4, number
            yield LOAD, 0, 0, 16 + 8 * place
            yield IF_EQUAL, 1, 0, value
            yield RETURN, 0, 0, ALLOW
        yield RETURN, 0, 0, ERROR | error
    yield RETURN, 0, 0, ALLOW


def main():
    what, *command = sys.argv[1:]
    steps = [Instruction(*step) for step in instructions(DENIED[what])]
    program = Program(len(steps), (Instruction * len(steps))(*steps))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privs, set_seccomp, filter_mode = 38, 22, 2
    for call in ((no_new_privs, 1, 0, 0, 0), (set_seccomp, filter_mode, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    os.execv(command[0], command)


main()
