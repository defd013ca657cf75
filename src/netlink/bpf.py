"""Classic BPF programs for `Conn.set_bpf`: instructions and their numbers.

A program is a sequence of instructions. The kernel runs it on each datagram before the socket queues it.
Offset 0 is the first netlink header. The program returns the number of bytes of the datagram to keep: 0 drops it.

Loads of 2 and 4 bytes (``BPF_H``, ``BPF_W``) read network byte order, while most of netlink is in host order:
compare with swapped numbers on a little-endian machine.

    # Let through only messages of type 3 (NLMSG_DONE); nlmsg_type is at offset 4.
    program = [
        stmt(BPF_LD | BPF_H | BPF_ABS, 4),
        jump(BPF_JMP | BPF_JEQ | BPF_K, socket.htons(3), 0, 1),
        stmt(BPF_RET | BPF_K, 0xFFFFFFFF),
        stmt(BPF_RET | BPF_K, 0),
    ]
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class _Fields(NamedTuple):
        code: int
        jt: int
        jf: int
        k: int

else:
    from collections import namedtuple

    _Fields = namedtuple("_Fields", ("code", "jt", "jf", "k"))


class Instruction(_Fields):
    """One instruction, ``struct sock_filter`` of linux/filter.h: the named tuple ``(code, jt, jf, k)``.

    ``code`` (16 bits) is a sum of ``BPF_*`` numbers. ``jt`` and ``jf`` (8 bits) are the numbers of instructions that a
    jump skips if its condition is true or false. ``k`` (32 bits, unsigned) is the operand. All are plain numbers in
    host order. `stmt` and `jump` check them; this class does not.
    """

    __slots__ = ()


def stmt(code: int, k: int) -> Instruction:
    """Return an instruction that does not jump: ``BPF_STMT`` of linux/filter.h.

    ``k`` may be negative, as ``SKF_AD_OFF + SKF_AD_NLATTR`` is, and is stored modulo 2**32. Raises ValueError
    if ``code`` does not fit in 16 bits or ``k`` in 32.
    """
    return jump(code, k, 0, 0)


def jump(code: int, k: int, jt: int, jf: int) -> Instruction:
    """Return an instruction that jumps: ``BPF_JUMP`` of linux/filter.h.

    It skips the next ``jt`` instructions if the condition holds and the next ``jf`` if it does not.
    Raises ValueError if ``code`` does not fit in 16 bits, ``k`` in 32 (see `stmt`), ``jt`` or ``jf`` in 8.
    """
    if not 0 <= code <= 0xFFFF:
        raise ValueError(f"code: want 0 to 65535, got {code}")
    if not -0x8000_0000 <= k <= 0xFFFF_FFFF:
        raise ValueError(f"k: want -2147483648 to 4294967295, got {k}")
    if not 0 <= jt <= 0xFF:
        raise ValueError(f"jt: want 0 to 255, got {jt}")
    if not 0 <= jf <= 0xFF:
        raise ValueError(f"jf: want 0 to 255, got {jf}")
    return Instruction(code, jt, jf, k & 0xFFFF_FFFF)


# linux/bpf_common.h: instruction classes
BPF_LD = 0x00  # BPF_LD: load A, the accumulator
BPF_LDX = 0x01  # BPF_LDX: load X, the index register
BPF_ST = 0x02  # BPF_ST: store A to scratch memory
BPF_STX = 0x03  # BPF_STX: store X to scratch memory
BPF_ALU = 0x04  # BPF_ALU: arithmetic on A
BPF_JMP = 0x05  # BPF_JMP: jump
BPF_RET = 0x06  # BPF_RET: end the program
BPF_MISC = 0x07  # BPF_MISC: copy between A and X

# linux/bpf_common.h: width of a load
BPF_W = 0x00  # BPF_W: 4 bytes
BPF_H = 0x08  # BPF_H: 2 bytes
BPF_B = 0x10  # BPF_B: 1 byte

# linux/bpf_common.h: source of a load
BPF_IMM = 0x00  # BPF_IMM: k itself
BPF_ABS = 0x20  # BPF_ABS: the message at offset k
BPF_IND = 0x40  # BPF_IND: the message at offset X + k
BPF_MEM = 0x60  # BPF_MEM: scratch memory word k
BPF_LEN = 0x80  # BPF_LEN: length of the datagram
BPF_MSH = 0xA0  # BPF_MSH: 4 * (the byte at offset k & 0xf), an IPv4 header's length; BPF_LDX alone

# linux/bpf_common.h: arithmetic
BPF_ADD = 0x00  # BPF_ADD
BPF_SUB = 0x10  # BPF_SUB
BPF_MUL = 0x20  # BPF_MUL
BPF_DIV = 0x30  # BPF_DIV
BPF_OR = 0x40  # BPF_OR
BPF_AND = 0x50  # BPF_AND
BPF_LSH = 0x60  # BPF_LSH
BPF_RSH = 0x70  # BPF_RSH
BPF_NEG = 0x80  # BPF_NEG
BPF_MOD = 0x90  # BPF_MOD
BPF_XOR = 0xA0  # BPF_XOR

# linux/bpf_common.h: jumps; all but the first compare A, unsigned, with the operand
BPF_JA = 0x00  # BPF_JA: always, by k instructions
BPF_JEQ = 0x10  # BPF_JEQ: equal
BPF_JGT = 0x20  # BPF_JGT: greater
BPF_JGE = 0x30  # BPF_JGE: greater or equal
BPF_JSET = 0x40  # BPF_JSET: a bit in common

# linux/bpf_common.h: operand of arithmetic, a jump or a return
BPF_K = 0x00  # BPF_K: k
BPF_X = 0x08  # BPF_X: X

# linux/filter.h: operand of BPF_RET, besides BPF_K
BPF_A = 0x10  # BPF_A: A

# linux/filter.h: operations of BPF_MISC
BPF_TAX = 0x00  # BPF_TAX: X = A
BPF_TXA = 0x80  # BPF_TXA: A = X

# linux/bpf_common.h, linux/filter.h: limits
BPF_MAXINSNS = 4096  # BPF_MAXINSNS: instructions in a program
BPF_MEMWORDS = 16  # BPF_MEMWORDS: words of scratch memory

# linux/filter.h: ancillary data, which BPF_LD | BPF_W | BPF_ABS reads at SKF_AD_OFF + one of these
SKF_AD_OFF = -0x1000  # SKF_AD_OFF
"""Start of the ancillary data: beyond any message, at the top of the 32 bits of k."""
SKF_AD_PROTOCOL = 0  # SKF_AD_PROTOCOL
SKF_AD_PKTTYPE = 4  # SKF_AD_PKTTYPE
"""The packet's type, PACKET_* of linux/if_packet.h."""
SKF_AD_IFINDEX = 8  # SKF_AD_IFINDEX
SKF_AD_NLATTR = 12  # SKF_AD_NLATTR
"""Find an attribute. In: A, the offset of the first attribute; X, the wanted type. Out: A, its offset, or 0."""
SKF_AD_NLATTR_NEST = 16  # SKF_AD_NLATTR_NEST
"""Find an attribute in a nested one. In: A, the offset of the outer attribute; X, the wanted type. Out: as above."""
SKF_AD_MARK = 20  # SKF_AD_MARK
SKF_AD_QUEUE = 24  # SKF_AD_QUEUE
SKF_AD_HATYPE = 28  # SKF_AD_HATYPE
SKF_AD_RXHASH = 32  # SKF_AD_RXHASH
SKF_AD_CPU = 36  # SKF_AD_CPU
"""The CPU that runs the program."""
SKF_AD_ALU_XOR_X = 40  # SKF_AD_ALU_XOR_X
"""A ^= X."""
SKF_AD_VLAN_TAG = 44  # SKF_AD_VLAN_TAG
SKF_AD_VLAN_TAG_PRESENT = 48  # SKF_AD_VLAN_TAG_PRESENT
SKF_AD_PAY_OFFSET = 52  # SKF_AD_PAY_OFFSET
SKF_AD_RANDOM = 56  # SKF_AD_RANDOM
"""A random number of 32 bits, for sampling."""
SKF_AD_VLAN_TPID = 60  # SKF_AD_VLAN_TPID
SKF_AD_MAX = 64  # SKF_AD_MAX
"""End of the ancillary data."""
SKF_NET_OFF = -0x100000  # SKF_NET_OFF
SKF_LL_OFF = -0x200000  # SKF_LL_OFF
