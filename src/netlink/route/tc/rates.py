"""Rates, and the times that the kernel counts in ticks of 64 ns: what struct tc_ratespec is made of."""

from __future__ import annotations

import re
import sys
from enum import IntEnum
from fractions import Fraction

from netlink.schema import Int, Member, Struct, s16, u8, u16, u32

__all__ = ["LinkLayer", "RateSpec", "bytes_per_second", "probability", "rate_table", "size_of_ticks", "ticks"]

# PSCHED_SHIFT of the kernel's include/net/pkt_sched.h is 6: /proc/net/psched shows it.
_NS_PER_TICK = 64
_NS_PER_SECOND = 1_000_000_000
_RATE_MAX = 0xFFFFFFFF  # in 32 bits; a larger one is in a field of 64 bits, too
_TICKS_MAX = 0xFFFFFFFF
_CELL_BITS = 8
_CELLS = 1 << _CELL_BITS  # of a rate table of 1024 bytes
_ATM_PAYLOAD, _ATM_CELL = 48, 53
_MTU = 2047  # the packet size that a rate table covers, if none is given

_UNITS = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate("kmgt", 1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate("kmgt", 1)},
}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?)(bit|bps)", re.IGNORECASE)


class LinkLayer(IntEnum):
    """How a link frames packets (TC_LINKLAYER_*): what the size of a packet is to a rate."""

    UNAWARE = 0  # TC_LINKLAYER_UNAWARE, the kernel guesses from a rate table, which it then needs
    ETHERNET = 1  # TC_LINKLAYER_ETHERNET
    ATM = 2  # TC_LINKLAYER_ATM, cells of 53 bytes for 48


class RateSpec(Struct):
    """A rate (struct tc_ratespec).

    rate: bytes a second. One that does not fit is 0xFFFFFFFF here, and whole in a field such as `rate64` beside the
    struct. overhead, mpu: bytes added to each packet, and the fewest that one counts as. cell_log, cell_align: about
    the rate table that old kernels need. `RateSpec.of` makes one.
    """

    cell_log: Int = u8()
    linklayer: Member[LinkLayer] = u8(enum=LinkLayer)
    overhead: Int = u16()
    cell_align: Int = s16()
    mpu: Int = u16()
    rate: Int = u32()

    @classmethod
    def of(
        cls,
        rate: int | str,
        *,
        overhead: int = 0,
        mpu: int = 0,
        mtu: int = _MTU,
        linklayer: LinkLayer = LinkLayer.ETHERNET,
    ) -> RateSpec:
        """The struct of a rate that needs no rate table.

        rate: bytes a second, or text as of `bytes_per_second`. mtu: the largest packet, for the one who makes a
        `rate_table` of it nevertheless.
        """
        return cls(
            rate=min(bytes_per_second(rate), _RATE_MAX),
            overhead=overhead,
            mpu=mpu,
            linklayer=linklayer,
            cell_log=max(0, mtu.bit_length() - _CELL_BITS),
            cell_align=-1,
        )


def bytes_per_second(rate: int | str) -> int:
    """A rate in bytes a second: the number itself, or text as tc takes it, "10mbit" or "1.5mbps".

    "bit" is bits a second, "bps" is bytes a second. The prefixes k, m, g, t are powers of 1000, with i of 1024.
    ValueError for other text and for a rate under 1.
    """
    if isinstance(rate, str):
        found = _RATE.fullmatch(rate.strip())
        if found is None:
            raise ValueError(f"a rate is a number of bytes a second, or text such as '10mbit' or '1mbps', not {rate!r}")
        number, prefix, unit = found[1], found[2].lower(), found[3].lower()
        rate = int(Fraction(number) * _UNITS[prefix] / (8 if unit == "bit" else 1))
    if not 1 <= rate <= 0xFFFFFFFFFFFFFFFF:
        raise ValueError(f"a rate is at least one byte a second, in 64 bits, not {rate}")
    return rate


def large(rate: int | str) -> int | None:
    """The rate for a field of 64 bits, None if 32 bits hold it."""
    rate = bytes_per_second(rate)
    return rate if rate > _RATE_MAX else None


def ticks(size: int, rate: int | str) -> int:
    """How long a number of bytes takes at a rate, in ticks of 64 ns, rounded up: the kernel's form of a burst.

    size: bytes, or packets with a rate in packets a second. ValueError if it takes more than 274 seconds, which the
    32 bits of such a field do not hold.
    """
    found = -(-size * _NS_PER_SECOND // (bytes_per_second(rate) * _NS_PER_TICK))
    if not 0 <= found <= _TICKS_MAX:
        raise ValueError(f"{size} bytes at {rate} bytes a second take {found} ticks, which 32 bits do not hold")
    return found


def size_of_ticks(count: int, rate: int | str) -> int:
    """How many bytes a rate has in a number of ticks of 64 ns: the inverse of `ticks`, rounded down."""
    return count * _NS_PER_TICK * bytes_per_second(rate) // _NS_PER_SECOND


def rate_table(spec: RateSpec, rate: int | str) -> bytes:
    """The rate table of a rate: ticks for each of 256 sizes of packets, as the action police needs it (TC_RTAB_SIZE).

    rate: that of the struct, in full. A kernel with a struct that names its link layer does not look into it.
    """
    sizes = (_framed((cell + 1) << (spec.cell_log or 0), spec) for cell in range(_CELLS))
    return b"".join(min(ticks(size, rate), _TICKS_MAX).to_bytes(4, sys.byteorder) for size in sizes)


def _framed(size: int, spec: RateSpec) -> int:
    size = max(size, spec.mpu or 0)
    return -(-size // _ATM_PAYLOAD) * _ATM_CELL if spec.linklayer == LinkLayer.ATM else size


def probability(fraction: float) -> int:
    """A probability from 0 to 1 as a part of 0xFFFFFFFF: the form of netem's and of the early drops of RED's kin."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"a probability is from 0 to 1, not {fraction}")
    return round(fraction * 0xFFFFFFFF)
