"""netlink.bpf: its numbers are the kernel's, and the kernel takes and runs what is built from them."""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlink import bpf
from netlink.bpf import (
    BPF_ABS,
    BPF_B,
    BPF_H,
    BPF_IMM,
    BPF_JEQ,
    BPF_JMP,
    BPF_K,
    BPF_LD,
    BPF_LDX,
    BPF_RET,
    BPF_W,
    SKF_AD_NLATTR,
    SKF_AD_NLATTR_NEST,
    SKF_AD_OFF,
    Instruction,
    jump,
    stmt,
)
from probe import c_layout, c_names, c_values, uapi_names

HEADERS = ["linux/filter.h"]
UAPI = uapi_names(bpf.__file__)[""]
SO_ATTACH_FILTER = 26

# Without site, a test's own Python needs the path of the package.
ENV = {**os.environ, "PYTHONPATH": str(Path(bpf.__file__).parents[1])}

ACCEPT = stmt(BPF_RET | BPF_K, 0xFFFF_FFFF)
DROP = stmt(BPF_RET | BPF_K, 0)


def test_instruction_is_a_tuple() -> None:
    instruction = Instruction(0x15, 1, 2, 3)
    assert instruction == (0x15, 1, 2, 3)
    assert (instruction.code, instruction.jt, instruction.jf, instruction.k) == (0x15, 1, 2, 3)
    assert Instruction(code=0x15, jt=1, jf=2, k=3) == instruction
    assert repr(instruction) == "Instruction(code=21, jt=1, jf=2, k=3)"
    assert instruction._replace(k=4) == (0x15, 1, 2, 4)
    assert isinstance(instruction._replace(k=4), Instruction)
    assert pickle.loads(pickle.dumps(instruction)) == instruction
    assert not hasattr(instruction, "__dict__")


def test_stmt() -> None:
    assert stmt(BPF_LD | BPF_W | BPF_ABS, 12) == (0x20, 0, 0, 12)
    assert isinstance(stmt(0, 0), Instruction)
    assert ACCEPT == (0x06, 0, 0, 0xFFFF_FFFF)


def test_jump() -> None:
    assert jump(BPF_JMP | BPF_JEQ | BPF_K, 0x10, 1, 2) == (0x15, 1, 2, 0x10)
    assert isinstance(jump(0, 0, 0, 0), Instruction)


def test_negative_operands_wrap() -> None:
    assert stmt(0x20, SKF_AD_OFF + SKF_AD_NLATTR).k == 0xFFFF_F00C
    assert stmt(0x20, -1).k == 0xFFFF_FFFF
    assert stmt(0x20, -0x8000_0000).k == 0x8000_0000


@pytest.mark.parametrize(
    ("code", "k", "jt", "jf", "message"),
    [
        (-1, 0, 0, 0, "code: want 0 to 65535, got -1"),
        (0x10000, 0, 0, 0, "code: want 0 to 65535, got 65536"),
        (0, 1 << 32, 0, 0, "k: want -2147483648 to 4294967295, got 4294967296"),
        (0, -(1 << 31) - 1, 0, 0, "k: want -2147483648 to 4294967295, got -2147483649"),
        (0, 0, -1, 0, "jt: want 0 to 255, got -1"),
        (0, 0, 256, 0, "jt: want 0 to 255, got 256"),
        (0, 0, 0, -1, "jf: want 0 to 255, got -1"),
        (0, 0, 0, 256, "jf: want 0 to 255, got 256"),
    ],
)
def test_out_of_range(code: int, k: int, jt: int, jf: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        jump(code, k, jt, jf)
    if not (jt or jf):
        with pytest.raises(ValueError, match=f"^{message}$"):
            stmt(code, k)


# Against the installed headers


def test_every_number_names_its_source() -> None:
    numbers = {name for name, value in vars(bpf).items() if type(value) is int}
    assert set(UAPI) == numbers
    assert all(name == uapi for name, uapi in UAPI.items())


def test_values_are_the_headers() -> None:
    assert {name: getattr(bpf, name) for name in UAPI} == c_values(HEADERS, sorted(UAPI))


def test_nothing_of_the_headers_is_missing() -> None:
    theirs = c_names(HEADERS, "(BPF|SKF)_[A-Z0-9_]+")
    # Versions of the interface, and older names of the two SKF_ numbers.
    left_out = {"BPF_MAJOR_VERSION", "BPF_MINOR_VERSION", "BPF_NET_OFF", "BPF_LL_OFF"}
    assert theirs - left_out == set(UAPI)


def test_layout_of_an_instruction() -> None:
    layout = c_layout(HEADERS, {"struct sock_filter": ["code", "jt", "jf", "k"]})["struct sock_filter"]
    assert layout.size == 8
    assert list(layout.fields) == list(Instruction._fields)
    assert list(layout.fields.values()) == [(0, 2), (2, 1), (3, 1), (4, 4)]


# In the kernel: a NETLINK_USERSOCK socket that sends to another


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    try:
        left = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2)
    except OSError as error:
        pytest.skip(f"no NETLINK_USERSOCK socket: {error}")
    with left, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2) as right:
        left.bind((0, 0))
        right.bind((0, 0))
        right.setblocking(False)
        yield left, right


def attach(sock: socket.socket, program: list[Instruction]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))


def passes(pair: tuple[socket.socket, socket.socket], data: bytes) -> bool:
    left, right = pair
    # A datagram that the filter drops counts as sent.
    left.sendto(data, right.getsockname())
    try:
        return right.recv(65536) == data
    except BlockingIOError:
        return False


def message(message_type: int, body: bytes = b"") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), message_type, 0, 0, 0) + body


def attribute(attribute_type: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), attribute_type) + data + bytes(-len(data) % 4)


def test_the_kernel_runs_a_program(pair: tuple[socket.socket, socket.socket]) -> None:
    # The program of the module's docstring.
    attach(
        pair[1],
        [
            stmt(BPF_LD | BPF_H | BPF_ABS, 4),
            jump(BPF_JMP | BPF_JEQ | BPF_K, socket.htons(3), 0, 1),
            ACCEPT,
            DROP,
        ],
    )
    assert passes(pair, message(3))
    assert not passes(pair, message(2))
    assert not passes(pair, message(0x300))
    assert passes(pair, message(3, b"more"))


def test_the_kernel_finds_attributes(pair: tuple[socket.socket, socket.socket]) -> None:
    # A u8 in attribute 2 of the nested attribute 5 must be 7.
    attach(
        pair[1],
        [
            stmt(BPF_LD | BPF_IMM, 16),
            stmt(BPF_LDX | BPF_IMM, 5),
            stmt(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR),
            jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 0),
            stmt(BPF_LDX | BPF_IMM, 2),
            stmt(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR_NEST),
            jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
            stmt(bpf.BPF_MISC | bpf.BPF_TAX, 0),
            stmt(BPF_LD | BPF_B | bpf.BPF_IND, 4),
            jump(BPF_JMP | BPF_JEQ | BPF_K, 7, 1, 0),
            DROP,
            ACCEPT,
        ],
    )
    other = attribute(1, b"eth0\0")

    def nested(*inner: bytes) -> bytes:
        return attribute(5 | 0x8000, b"".join(inner))

    assert passes(pair, message(16, other + nested(other, attribute(2, b"\7"))))
    assert passes(pair, message(16, nested(attribute(2, b"\7"))))
    assert not passes(pair, message(16, other + nested(other, attribute(2, b"\6"))))
    assert not passes(pair, message(16, other + nested(other)))
    assert not passes(pair, message(16, other + attribute(2, b"\7")))


def test_the_kernel_refuses_a_program_without_return(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        attach(pair[1], [stmt(BPF_LD | BPF_H | BPF_ABS, 4)])


def test_import_is_light() -> None:
    code = "import sys, netlink.bpf; print(sorted({'typing', 'inspect', 'dataclasses'} & {*sys.modules}))"
    result = subprocess.run([sys.executable, "-S", "-c", code], env=ENV, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
