"""set_bpf and remove_bpf: a program decides what is queued."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterable
from typing import Any

import pytest

import netns
from kernel.tools import Peer, readable, soon
from netlink import Conn, DecodeError, Header, HeaderFlags, HeaderType, Message, OpError
from netlink.bpf import (
    BPF_ABS,
    BPF_H,
    BPF_JEQ,
    BPF_JMP,
    BPF_K,
    BPF_LD,
    BPF_MAXINSNS,
    BPF_RET,
    Instruction,
    jump,
    stmt,
)
from netns import RTM_GETLINK

PASS = stmt(BPF_RET | BPF_K, 0xFFFFFFFF)
DROP = stmt(BPF_RET | BPF_K, 0)


def only(kind: int) -> list[Instruction]:
    """Datagrams that begin with a message of one type."""
    return [stmt(BPF_LD | BPF_H | BPF_ABS, 4), jump(BPF_JMP | BPF_JEQ | BPF_K, socket.htons(kind), 0, 1), PASS, DROP]


def types(conn: Conn) -> list[int]:
    got = []
    while readable(conn):
        got += [int(m.header.type) for m in conn.receive()]
    return got


def send(peer: Peer, *kinds: int) -> None:
    for kind in kinds:
        peer.send(Message(Header(type=kind)))


def test_attach_and_detach(user: Conn, peer: Peer) -> None:
    send(peer, 16)
    user.set_bpf(only(17))
    send(peer, 16, 17, 18, 17)
    assert types(user) == [16, 17, 17]  # what was queued before is not looked at
    user.set_bpf(only(18))  # takes the place of the first
    send(peer, 16, 17, 18)
    assert types(user) == [18]
    user.remove_bpf()
    send(peer, 16, 17, 18)
    assert types(user) == [16, 17, 18]


def test_a_program_is_any_sequence_of_fours(user: Conn, peer: Peer) -> None:
    for program in (only(17), tuple(only(17)), [tuple(i) for i in only(17)], [list(i) for i in only(17)]):
        user.set_bpf(program)  # type: ignore[arg-type]
        send(peer, 16, 17)
        assert types(user) == [17]


def test_a_filter_on_the_kernels_messages(conn: Conn) -> None:
    conn.set_bpf(only(HeaderType.ERROR))
    conn.send(netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK))
    assert not readable(conn)
    conn.execute(netns.link_request(netns.RTM_NEWLINK, index=netns.LOOPBACK, up=True))


def test_a_program_that_truncates_is_reported(user: Conn, peer: Peer) -> None:
    # The kernel itself shortens the datagram; its length field shows that.
    user.set_bpf([stmt(BPF_RET | BPF_K, 20)])
    peer.send(Message(Header(type=16), bytes(100)))
    with pytest.raises(DecodeError):
        user.receive()
    peer.send(Message(Header(type=17), bytes(4)))
    assert types(user) == [17]


def test_there_is_none_to_remove(conn: Conn) -> None:
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as caught:
            conn.remove_bpf()
        assert isinstance(caught.value, OpError)
        assert caught.value.op == "remove-bpf"
    conn.set_bpf([PASS])
    conn.remove_bpf()
    with pytest.raises(FileNotFoundError):
        conn.remove_bpf()


def test_an_empty_program(conn: Conn) -> None:
    for program in ([], ()):
        with pytest.raises(ValueError, match="empty"):
            conn.set_bpf(program)


@pytest.mark.parametrize(
    "program",
    [
        [stmt(BPF_LD | BPF_H | BPF_ABS, 4)],  # no return
        [jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 200, 200), PASS],  # a jump out of it
        [Instruction(0xFFFF, 0, 0, 0), PASS],
        [stmt(BPF_LD | BPF_H | BPF_ABS, 4)] * BPF_MAXINSNS,
    ],
)
def test_what_the_kernel_refuses(user: Conn, peer: Peer, program: list[Instruction]) -> None:
    user.set_bpf(only(17))
    with pytest.raises(OpError) as caught:
        user.set_bpf(program)
    assert (caught.value.op, caught.value.errno) == ("set-bpf", errno.EINVAL)
    send(peer, 16, 17)
    assert types(user) == [17]  # the one before is still there


def test_a_long_program(user: Conn, peer: Peer) -> None:
    load = stmt(BPF_LD | BPF_H | BPF_ABS, 4)
    # In the kernel such an instruction takes up to 9 of 8 bytes each.
    user.set_bpf([load] * min(500, netns.limit("optmem_max") // 128) + [PASS])
    send(peer, 16)
    assert types(user) == [16]
    # Longer ones run into net.core.optmem_max, and 4096 is the end of all.
    if netns.limit("optmem_max") <= 1 << 17:
        with pytest.raises(OpError, match=r"does not fit net\.core\.optmem_max") as caught:
            user.set_bpf([load] * (BPF_MAXINSNS - 1) + [PASS])
        assert caught.value.errno == errno.ENOMEM
    for program in ([PASS] * (BPF_MAXINSNS + 1), itertools.repeat(PASS)):
        with pytest.raises(ValueError, match="at most 4096"):
            user.set_bpf(program)
    send(peer, 17)
    assert types(user) == [17]


@pytest.mark.parametrize(
    "instruction",
    [(1 << 16, 0, 0, 0), (-1, 0, 0, 0), (6, 256, 0, 0), (6, 0, 256, 0), (6, 0, 0, 1 << 32), (6, 0, 0, -1)],
)
def test_numbers_out_of_range(conn: Conn, instruction: tuple[int, int, int, int]) -> None:
    with pytest.raises((OverflowError, ValueError)):
        conn.set_bpf([instruction])


@pytest.mark.parametrize("program", [[(6, 0, 0)], [(6, 0, 0, 0, 0)], ["ret"], [None], 5, None])
def test_what_is_no_program(conn: Conn, program: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        conn.set_bpf(program)


def test_a_program_that_ends_in_an_error(conn: Conn) -> None:
    def program() -> Iterable[Instruction]:
        yield PASS
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        conn.set_bpf(program())  # type: ignore[arg-type]


def test_a_bpf_program_drops_parts_of_a_dump_and_its_end(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.set_bpf([DROP])
    conn.set_read_deadline(soon(0.2))
    with pytest.raises(TimeoutError):
        conn.execute(netns.routes_request())
    conn.remove_bpf()
    conn.set_read_deadline(soon())
    assert len(conn.execute(netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK))) == 1
    # With that the kernel went on with the dump, which is dropped.
    assert sum(map(netns.is_ours, conn.execute(netns.routes_request()))) == 2_000
