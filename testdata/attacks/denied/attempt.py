"""What all attacks of this pack share: trying one, and system calls by their numbers."""
import contextlib
import ctypes
import os
import platform

# x86-64, aarch64
_NUMBERS = {
    "bpf": (321, 280), "clone": (56, 220), "clone3": (435, 435), "execveat": (322, 281), "fchmodat": (268, 53), "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425), "keyctl": (250, 219), "landlock_create_ruleset": (444, 444), "madvise": (28, 233), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "msgctl": (71, 187), "msgget": (68, 186), "openat": (257, 56), "perf_event_open": (298, 241), "pidfd_open": (434, 434), "prctl": (157, 167), "process_vm_readv": (310, 270), "ptrace": (101, 117),
    "seccomp": (317, 277), "shmctl": (31, 195), "shmget": (29, 194), "socket": (41, 198), "unshare": (272, 97), "userfaultfd": (323, 282),
}
NUMBERS = {name: both[platform.machine() != "x86_64"] for name, both in _NUMBERS.items()}
_LIBC = ctypes.CDLL(None, use_errno=True)
# These say that an attack was written wrongly, not that it was kept from anything.
_MISTAKES = (NameError, AttributeError, TypeError, ImportError, SyntaxError)


def attempt(attack):
    try:
        return f"succeeded: {attack()!r:.100}"
    except _MISTAKES as exc:
        return f"mistake: {exc!r}"
    except BaseException as exc:
        return f"denied: {exc!r:.200}"


def is_attack(event):
    return event.get("eventName") == "Attack"


def call(name, *arguments):
    """A system call, by its name or number. Raises OSError."""
    number = NUMBERS.get(name, name)
    words = [item if isinstance(item, bytes) else ctypes.c_long(item) for item in arguments]
    got = _LIBC.syscall(ctypes.c_long(number), *words)
    if got == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return got


@contextlib.contextmanager
def made(kind):
    """A path for something to be made, which is removed again."""
    path = f"/tmp/iota-attack-{os.getpid()}-{kind}"
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
