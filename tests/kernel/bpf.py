"""Programs for the kernel, by bpf(2)."""

from __future__ import annotations

import ctypes
import os
import struct

import pytest

BPF_PROG_TYPE_XDP = 6
BPF_PROG_TYPE_LWT_XMIT = 12
XDP_PASS = 2
BPF_OK = 0
_BPF_PROG_LOAD = 5


def program(type_: int, result: int) -> int:
    """A file descriptor of a program that returns a number and does nothing else. A skip if the kernel takes none."""
    move, leave = struct.pack("=BBhi", 0xB7, 0, 0, result), struct.pack("=BBhi", 0x95, 0, 0, 0)
    code, licence = ctypes.create_string_buffer(move + leave), ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQ", type_, 2, ctypes.addressof(code), ctypes.addressof(licence)) + bytes(104)
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.syscall(321, _BPF_PROG_LOAD, attributes, len(attributes))
    if fd < 0:
        pytest.skip(f"bpf(2) loads no program: {os.strerror(ctypes.get_errno())}")
    return fd
