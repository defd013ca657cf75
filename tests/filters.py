"""What a filter of conntrack says and a program of classic BPF does, in plain Python: to compare with kernel and C."""

from __future__ import annotations

import struct

from netlink import bpf
from netlink.netfilter.conntrack import Filter, Flow


def means(chosen: Filter, flow: Flow, events: bool = True) -> bool:
    """Whether the filter means the flow; events: heed its event."""

    def one(chosen: Filter, events: bool) -> bool:
        orig = flow.orig
        zone = flow.zone or orig.zone or flow.reply.zone or 0
        wanted = [
            chosen.mark is None or (flow.mark or 0) & (chosen.mark_mask or 0) == chosen.mark,
            chosen.status is None or int(flow.status or 0) & int(chosen.status_mask or 0) == chosen.status,
            chosen.zone is None or zone == chosen.zone,
            chosen.event is None or not events or bool(flow.event and flow.event in chosen.event),
        ]
        for name in ("proto", "src_port", "dst_port"):
            given = getattr(chosen, name)
            if given:
                value = getattr(orig, name)
                wanted.append(any(value in item if isinstance(item, range) else value == item for item in given))
        for name in ("src", "dst"):
            given = getattr(chosen, name)
            if given:
                wanted.append(any(getattr(orig, name) in network for network in given))
        for direction in ("orig", "reply"):
            tuple_ = getattr(chosen, direction)
            for name, value in tuple_.to_dict().items() if tuple_ else ():
                found = getattr(getattr(flow, direction), name)
                wanted.append((found or 0) == value if name == "zone" else found == value)
        return all(wanted)

    return one(chosen, events) and not any(one(other, True) for other in chosen.exclude)


def run(code: list[bpf.Instruction], data: bytes) -> int:
    """The program's verdict on a datagram, as net/core/filter.c comes to it."""

    def attribute(start: int, end: int, wanted: int) -> int:
        while end - start >= 4:
            length, type_ = struct.unpack_from("=HH", data, start)
            if not 4 <= length <= end - start:
                return 0
            if type_ & 0x3FFF == wanted:
                return start
            start += (length + 3) & ~3
        return 0

    a = x = pc = 0
    for _ in range(len(code)):
        op, jt, jf, k = code[pc]
        pc += 1
        kind = op & 7
        if kind == bpf.BPF_RET:
            return k
        if kind == bpf.BPF_JMP:
            if op & 0xF0 == bpf.BPF_JA:
                pc += k
            else:
                holds = {bpf.BPF_JEQ: a == k, bpf.BPF_JGT: a > k, bpf.BPF_JGE: a >= k, bpf.BPF_JSET: bool(a & k)}
                pc += jt if holds[op & 0xF0] else jf
        elif kind == bpf.BPF_MISC:
            assert op & 0xF8 == bpf.BPF_TAX
            x = a
        elif kind == bpf.BPF_ALU:
            assert op & 0xF8 == bpf.BPF_AND | bpf.BPF_K
            a &= k
        elif kind == bpf.BPF_LDX:
            assert op & 0xE0 == bpf.BPF_IMM
            x = k
        elif op & 0xE0 == bpf.BPF_IMM:
            a = k
        elif op & 0xE0 == bpf.BPF_ABS and k - (1 << 32) >= bpf.SKF_AD_OFF:
            offset = k - (1 << 32) - bpf.SKF_AD_OFF
            if offset == bpf.SKF_AD_NLATTR:
                a = attribute(a, len(data), x) if a <= len(data) - 4 else 0
            else:
                assert offset == bpf.SKF_AD_NLATTR_NEST
                length = struct.unpack_from("=H", data, a)[0] if a <= len(data) - 4 else 0
                a = attribute(a + 4, a + length, x) if length and length <= len(data) - a else 0
        else:
            at = k + (x if op & 0xE0 == bpf.BPF_IND else 0)
            size = {bpf.BPF_W: 4, bpf.BPF_H: 2, bpf.BPF_B: 1}[op & 0x18]
            if at + size > len(data):
                return 0
            a = int.from_bytes(data[at : at + size], "big")
    raise AssertionError("the program does not end")
