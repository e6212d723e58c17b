"""Makes a system call of 32-bit programs, which have other numbers."""
import ctypes
import mmap
import os
import platform


def attack():
    if platform.machine() != 'x86_64':
        os._exit(1)
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # mov eax, 20 (getpid); int 0x80; ret
    code.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
