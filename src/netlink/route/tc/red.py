"""Parameters of RED from what one knows of a link: Floyd and Jacobson, "Random Early Detection Gateways", 1993."""

from __future__ import annotations

import math

from netlink.route.tc.qdiscs import RedFlags, RedParms
from netlink.route.tc.rates import bytes_per_second

__all__ = ["red_parms", "red_table"]

_LOG_MAX = 32
_CELLS = 256  # of the table
_SHIFT_MAX = 31


def red_parms(
    limit: int, qth_min: int, qth_max: int, *, packet: int, burst: int, probability: float = 0.02, flags: int = 0
) -> RedParms:
    """The parameters of red, and with 1 as packet those of choke, whose unit are packets; without scell_log.

    limit, qth_min, qth_max: bytes. packet: bytes of an average packet. burst: packets that may come at once before any
    is dropped. probability: that of a drop at qth_max, from 0 to 1. flags: `RedFlags`. ValueError for thresholds that
    are not in order, for a burst that is too large, or for a probability that is too small.
    """
    if not 0 < qth_min < qth_max <= limit:
        raise ValueError(f"want 0 < qth_min < qth_max <= limit, not {qth_min}, {qth_max}, {limit}")
    wanted = burst + 1 - qth_min / packet
    wlog = next((log for log in range(1, _LOG_MAX) if wanted <= (1 - (1 - 2.0**-log) ** burst) * 2.0**log), None)
    if wlog is None:
        raise ValueError(f"a burst of {burst} packets does not fit under {qth_min} bytes")
    step = probability / (qth_max - qth_min)
    plog = next((log for log in range(_LOG_MAX) if step * 2**log > 1), None)
    if plog is None:
        raise ValueError(f"a probability of {probability} is too small")
    return RedParms(limit=limit, qth_min=qth_min, qth_max=qth_max, wlog=wlog, plog=plog, flags=RedFlags(flags))


def red_table(parms: RedParms, *, packet: int, rate: int | str) -> tuple[RedParms, bytes]:
    """The parameters with scell_log, and the table `stab`: how the average of an idle queue decays.

    packet: bytes of an average packet, also for choke. rate: that of the link, in bytes a second, or text such as
    "10mbit". The kernel measures the time that a queue was idle in microseconds.
    """
    weight = 2.0 ** -(parms.wlog or 1)
    decay = -math.log2(1 - weight) * bytes_per_second(rate) / (packet * 1e6)  # halvings in a microsecond
    longest = _SHIFT_MAX / decay
    log = next((log for log in range(_LOG_MAX) if longest / 2**log < 2 * _CELLS), _LOG_MAX - 1)
    cells = [min(int((cell << log) * decay), _SHIFT_MAX) for cell in range(_CELLS - 1)]
    return parms.replace(scell_log=log), bytes([*cells, _SHIFT_MAX])
