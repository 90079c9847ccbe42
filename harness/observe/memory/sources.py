# SPDX-License-Identifier: Apache-2.0
"""Sources of guest RAM: a mapping in this process, or QEMU's process."""

import ctypes
import errno
import os
from typing import Protocol

from harness.base.errors import QemuError


class RamSource(Protocol):
    """The bytes of one range of RAM, by offset from its base."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill *buffer* from *offset* on."""

    def write(self, offset: int, data: bytes) -> None:
        """Store *data* at *offset*."""


class MappedRam:
    """Bytes mapped in this process: a file shared with QEMU, or a dump."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill *buffer* from *offset* on."""
        buffer[:] = self.view[offset : offset + len(buffer)]

    def write(self, offset: int, data: bytes) -> None:
        """Store *data* at *offset*; raises TypeError on a read-only mapping."""
        self.view[offset : offset + len(data)] = data


class _IoVec(ctypes.Structure):
    """``struct iovec`` of ``<sys/uio.h>``."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


_libc = ctypes.CDLL(None, use_errno=True)


class ProcessRam:
    """Private memory of process *pid* from its virtual address *base* on.

    process_vm_readv(2) moves 10-15 GB/s where reads of ``/proc/PID/mem`` move 5, and both need
    the same permission, which a parent has over its child. The process keeps running meanwhile.
    """

    def __init__(self, pid: int, base: int) -> None:
        self._pid, self._base = pid, base

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill *buffer* from *offset* on; raises QemuError when the process cannot be read."""
        self._move(_libc.process_vm_readv, offset, buffer)

    def write(self, offset: int, data: bytes) -> None:
        """Store *data* at *offset*; raises QemuError when the process cannot be written."""
        self._move(_libc.process_vm_writev, offset, memoryview(bytearray(data)))

    def _move(self, call: "ctypes._NamedFuncPointer", offset: int, buffer: memoryview) -> None:
        done, size = 0, len(buffer)
        raw = (ctypes.c_char * size).from_buffer(buffer)
        while done < size:
            here = _IoVec(ctypes.addressof(raw) + done, size - done)
            there = _IoVec(self._base + offset + done, size - done)
            moved = call(self._pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
            if moved <= 0:
                raise self._lost(ctypes.get_errno(), offset + done)
            done += moved

    def _lost(self, code: int, offset: int) -> QemuError:
        reason = {
            errno.ESRCH: "QEMU has ended, see its log",
            errno.EFAULT: "nothing is mapped there; the address belongs to another QEMU",
            errno.EPERM: "permission denied: this process must be QEMU's parent, or root",
        }.get(code, os.strerror(code))
        return QemuError(
            f"cannot access guest RAM at {self._base + offset:#x} in QEMU, process {self._pid}: "
            f"{reason}"
        )
