"""Classic BPF for a stream of records: `program` drops only messages that a `Match` would reject.

The kernel runs it on each datagram, which is one message. A message that it cannot decide passes: the match decides.
"""

from __future__ import annotations

import socket as _socket
from ipaddress import IPv4Network, IPv6Network

from netlink import bpf
from netlink._engine.record import NL_BIG, NL_K_ADDRESS, NL_K_EVENT, NL_SIGNED, Field, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Any

    from netlink._engine.match import Condition

    # Message type, declaration, event, mask of the flags, the flags, and the command: as for StreamReader.
    Kinds = Collection[tuple[int, type[Record], int | None, int, int, int | None]]

__all__ = ["program"]

_HEADER = 16  # struct nlmsghdr
_TYPE, _FLAGS = 4, 6  # of nlmsghdr
_GENERIC_HEADER = 4  # struct genlmsghdr
_COMMAND = _HEADER  # of genlmsghdr
_ATTRIBUTE = 4  # struct nlattr
_LOADS = {1: bpf.BPF_B, 2: bpf.BPF_H, 4: bpf.BPF_W}


def program(
    clauses: Sequence[Sequence[Condition]], declaration: type[Record], kinds: Kinds, always: int
) -> list[bpf.Instruction]:
    """The program for the clauses of a `Match`. Messages of other kinds than those of the declaration pass.

    always: the type of an attribute that every message has. If it is not found the program cannot look for others: the
    message passes. ValueError if the program is longer than BPF_MAXINSNS.
    """
    return _Compiler(declaration, kinds, always).compiled(clauses)


class _Assembler:
    """Instructions with forward jumps of any distance to labels."""

    def __init__(self) -> None:
        # (code, k, label, sense): a jump has a label; a conditional one jumps if its condition equals `sense`.
        self._parts: list[tuple[int, int, int | None, bool]] = []
        self._places: dict[int, int] = {}
        self._labels = 0

    def label(self) -> int:
        self._labels += 1
        return self._labels

    def place(self, label: int) -> None:
        """Put the label before the next instruction."""
        self._places[label] = len(self._parts)

    def stmt(self, code: int, k: int) -> None:
        self._parts.append((code, k, None, True))

    def branch(self, condition: int, k: int, label: int, sense: bool = True) -> None:
        """Jump to label if the condition on A equals sense."""
        self._parts.append((bpf.BPF_JMP | condition | bpf.BPF_K, k, label, sense))

    def jump(self, label: int) -> None:
        self._parts.append((bpf.BPF_JMP | bpf.BPF_JA, 0, label, True))

    def program(self) -> list[bpf.Instruction]:
        # A conditional jump reaches 255 instructions. For a longer way it jumps over, or to, a BPF_JA.
        long: set[int] = set()
        while True:
            starts = [0]
            for i in range(len(self._parts)):
                starts.append(starts[-1] + (2 if i in long else 1))
            more = {
                i
                for i, (code, _, label, _) in enumerate(self._parts)
                if label is not None
                and code != bpf.BPF_JMP | bpf.BPF_JA
                and i not in long
                # Counted from the next instruction.
                and starts[self._places[label]] - starts[i] - 1 > 255
            }
            if not more:
                break
            long |= more
        out: list[bpf.Instruction] = []
        for i, (code, k, label, sense) in enumerate(self._parts):
            if label is None:
                out.append(bpf.stmt(code, k))
                continue
            far = starts[self._places[label]] - starts[i + 1]
            if code == bpf.BPF_JMP | bpf.BPF_JA:
                out.append(bpf.stmt(code, far))
            elif i in long:
                out += [
                    bpf.jump(code, k, 0 if sense else 1, 1 if sense else 0),
                    bpf.stmt(bpf.BPF_JMP | bpf.BPF_JA, far),
                ]
            else:
                out.append(bpf.jump(code, k, far if sense else 0, 0 if sense else far))
        return out


class _Compiler:
    """The compiler of clauses. Each test jumps to one of three labels: it holds, it fails, or it is undecided."""

    def __init__(self, declaration: type[Record], kinds: Kinds, always: int) -> None:
        self._declaration = declaration
        self._kinds = [kind for kind in kinds if kind[1] is declaration]
        self._always = always
        self._start = _HEADER + _GENERIC_HEADER * any(kind[5] is not None for kind in self._kinds)
        header = declaration.__fields__.get("header")
        if header is not None and header.cls is not None and not header.types:
            self._start += (len(header.cls().encode()) + 3) // 4 * 4
        self._out = _Assembler()
        self._keep, self._drop = self._out.label(), self._out.label()

    def compiled(self, clauses: Sequence[Sequence[Condition]]) -> list[bpf.Instruction]:
        out = self._out
        wanted, *excluded = clauses
        known = out.label()
        for type_, command in sorted({(kind[0], kind[5]) for kind in self._kinds}, key=str):
            other = out.label()
            self._is_of(type_, command, other)
            out.jump(known)
            out.place(other)
        out.jump(self._keep)
        out.place(known)
        self._find((self._always,), self._keep)
        for test in wanted:
            holds = out.label()
            self._test(test, holds, self._drop, holds)
            out.place(holds)
        for clause in excluded:
            other = out.label()
            for test in clause:
                holds = out.label()
                self._test(test, holds, other, other)
                out.place(holds)
            out.jump(self._drop)
            out.place(other)
        out.place(self._keep)
        out.stmt(bpf.BPF_RET | bpf.BPF_K, 0xFFFFFFFF)
        out.place(self._drop)
        out.stmt(bpf.BPF_RET | bpf.BPF_K, 0)
        made = out.program()
        if len(made) > bpf.BPF_MAXINSNS:
            raise ValueError(
                f"the BPF program of the filter has {len(made)} instructions, more than the kernel's "
                f"{bpf.BPF_MAXINSNS}: name fewer addresses, networks and ports"
            )
        return made

    def _is_of(self, type_: int, command: int | None, other: int) -> None:
        """Jump to other if the message is of another type or command."""
        out = self._out
        out.stmt(bpf.BPF_LD | bpf.BPF_H | bpf.BPF_ABS, _TYPE)
        out.branch(bpf.BPF_JEQ, _host16(type_), other, sense=False)
        if command is not None:
            out.stmt(bpf.BPF_LD | bpf.BPF_B | bpf.BPF_ABS, _COMMAND)
            out.branch(bpf.BPF_JEQ, command, other, sense=False)

    def _find(self, path: Iterable[int], absent: int) -> None:
        """Load the offset of an attribute into A. path: the types of the attributes around it, and its own."""
        out = self._out
        for depth, type_ in enumerate(path):
            out.stmt(bpf.BPF_LDX | bpf.BPF_IMM, type_)
            if not depth:
                out.stmt(bpf.BPF_LD | bpf.BPF_IMM, self._start)
            look = bpf.SKF_AD_NLATTR_NEST if depth else bpf.SKF_AD_NLATTR
            out.stmt(bpf.BPF_LD | bpf.BPF_W | bpf.BPF_ABS, bpf.SKF_AD_OFF + look)
            out.branch(bpf.BPF_JEQ, 0, absent)

    def _point_at(self, path: Iterable[int], width: int, absent: int, doubt: int) -> None:
        """Load the offset of an attribute into X; jump to doubt if it does not have width bytes."""
        out = self._out
        self._find(path, absent)
        out.stmt(bpf.BPF_MISC | bpf.BPF_TAX, 0)
        out.stmt(bpf.BPF_LD | bpf.BPF_H | bpf.BPF_IND, 0)
        out.branch(bpf.BPF_JEQ, _host16(_ATTRIBUTE + width), doubt, sense=False)

    def _test(self, test: Condition, yes: int, no: int, doubt: int) -> None:
        out = self._out
        for names in test.fields:
            path, field = _resolve(self._declaration, names)
            if field.kind == NL_K_EVENT:
                self._event({low for low, _ in test.values}, yes, no)
            elif field.kind == NL_K_ADDRESS:
                self._address(test.values, path, field, yes, no, doubt)
            elif len(field.types) != 1 or field.width not in _LOADS or not _is_comparable(field, test):
                # Such as fields of ICMP, which have other attribute types in IPv6.
                out.jump(doubt)
                return
            else:
                test = _as_loaded(field, test)
                absent = out.label()
                self._point_at(path + field.types[0][0], field.width, absent, doubt)
                out.stmt(bpf.BPF_LD | _LOADS[field.width] | bpf.BPF_IND, _ATTRIBUTE)
                self._compare(test, yes, no)
                out.place(absent)
        if test.absent_is_zero:
            out.stmt(bpf.BPF_LD | bpf.BPF_IMM, 0)
            self._compare(test, yes, no)
        else:
            out.jump(doubt)

    def _compare(self, test: Condition, yes: int, no: int) -> None:
        """Jump to yes if A has one of the values, else to no."""
        if test.mask is not None:
            self._out.stmt(bpf.BPF_ALU | bpf.BPF_AND | bpf.BPF_K, test.mask)
        self._ranges(test.values, yes)
        self._out.jump(no)

    def _ranges(self, ranges: Iterable[Any], yes: int) -> None:
        out = self._out
        for low, high in ranges:
            if low == high:
                out.branch(bpf.BPF_JEQ, low, yes)
                continue
            below = out.label()
            out.branch(bpf.BPF_JGE, low, below, sense=False)
            out.branch(bpf.BPF_JGT, high, yes, sense=False)
            out.place(below)

    def _event(self, events: set[int], yes: int, no: int) -> None:
        out = self._out
        for type_, _, event, mask, flags, command in self._kinds:
            other = out.label()
            self._is_of(type_, command, other)
            if mask:
                out.stmt(bpf.BPF_LD | bpf.BPF_H | bpf.BPF_ABS, _FLAGS)
                out.stmt(bpf.BPF_ALU | bpf.BPF_AND | bpf.BPF_K, _host16(mask))
                out.branch(bpf.BPF_JEQ, _host16(flags), other, sense=False)
            out.jump(yes if event in events else no)
            out.place(other)

    def _address(self, networks: Any, path: tuple[int, ...], field: Field[Any], yes: int, no: int, doubt: int) -> None:
        out = self._out
        for types, width in field.types:
            absent = out.label()
            self._point_at(path + types, width, absent, doubt)
            if width == 4:
                out.stmt(bpf.BPF_LD | bpf.BPF_W | bpf.BPF_IND, _ATTRIBUTE)
                chosen = [network for network in networks if isinstance(network, IPv4Network)]
                self._ranges([(int(network[0]), int(network[-1])) for network in chosen], yes)
            else:
                for network in networks:
                    if isinstance(network, IPv6Network):
                        self._network(network, yes)
            out.jump(no)
            out.place(absent)

    def _network(self, network: IPv6Network, yes: int) -> None:
        """Jump to yes if the address of the attribute at X is in an IPv6 network."""
        out = self._out
        other = out.label()
        wanted, mask = network.network_address.packed, network.netmask.packed
        for at in range(0, 16, 4):
            bits = int.from_bytes(mask[at : at + 4], "big")
            if not bits:
                break
            out.stmt(bpf.BPF_LD | bpf.BPF_W | bpf.BPF_IND, _ATTRIBUTE + at)
            if bits != 0xFFFFFFFF:
                out.stmt(bpf.BPF_ALU | bpf.BPF_AND | bpf.BPF_K, bits)
            out.branch(bpf.BPF_JEQ, int.from_bytes(wanted[at : at + 4], "big"), other, sense=False)
        out.jump(yes)
        out.place(other)


def _is_comparable(field: Field[Any], test: Condition) -> bool:
    """Whether BPF, which loads numbers in network byte order, can compare a field: one in host order for equality."""
    if field.flags & NL_BIG or field.width == 1:
        return True
    return not field.flags & NL_SIGNED and all(low == high for low, high in test.values)


def _as_loaded(field: Field[Any], test: Condition) -> Condition:
    """The test with the numbers that BPF loads."""
    if field.flags & NL_BIG or field.width == 1:
        return test
    swapped = _socket.htons if field.width == 2 else _socket.htonl
    values = tuple((swapped(low), swapped(low)) for low, _ in test.values)
    return test._replace(values=values, mask=None if test.mask is None else swapped(test.mask))


def _host16(number: int) -> int:
    """The value that BPF_H loads for a number in host order."""
    return _socket.htons(number)


def _resolve(declaration: type[Record], names: tuple[str, ...]) -> tuple[tuple[int, ...], Field[Any]]:
    """The types of the attributes around a field, and the field. A header and what is in a struct have no types."""
    path: tuple[int, ...] = ()
    field = declaration.__fields__[names[0]]
    for name in names[1:]:
        if field.types:
            path += field.types[0][0]
        assert field.cls is not None
        field = field.cls.__fields__[name]
    return path, field
