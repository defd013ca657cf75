"""Each allocation that the C of netlink makes fails in turn: a program for test_faults.py.

That preloads failing_malloc.c.
allocations.py SCENARIO. Says how many allocations there were, or ends with what went wrong: another error than the
documented one, or memory that is left.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import recorded
from netlink import Config, Family, HeaderFlags, OpError, dial, schema
from netlink._transport import Ring, Socket
from netlink.netfilter import conntrack, pcapng
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nflog import Packet
from netlink.schema import AttributeSet, release_memory
from netns import LOOPBACK, RTM_GETLINK, link_request

FLOWS = recorded.payloads("conntrack_flows")
PACKETS = recorded.payloads("nflog_packets")


def ring() -> None:
    Ring(8, 512)


def execute() -> None:
    with dial(Family.ROUTE) as conn:
        conn.execute(link_request(RTM_GETLINK, HeaderFlags.REQUEST, LOOPBACK))


def fixed_buffer() -> None:
    with dial(Family.ROUTE, Config(message_buffer_size=65536)) as conn:
        conn.execute(link_request(RTM_GETLINK, HeaderFlags.REQUEST, LOOPBACK))


def receive_ring() -> None:
    sock = Socket(Family.ROUTE, Config())
    try:
        sock.receive_ring(Ring(4, 4096), wait=False)
    finally:
        sock.close()


def decode() -> None:
    batch = Flow.decode_many(FLOWS * 20)
    part = batch[1:20:3]
    assert len(list(part)) == len(part)
    assert batch[0].encode()
    assert Flow.decode(FLOWS[0]) == batch[0]


def construct() -> None:
    flow = Flow.decode(FLOWS[0])
    values = {name: getattr(flow, name, None) for name in ("orig", "reply", "mark", "protoinfo")}
    Flow(**values).encode()


class Inner(AttributeSet):
    at = schema.u32(1)
    family = schema.u8(2, enum=Family)
    name = schema.string(3)


class Outer(AttributeSet):
    """A column of each shape."""

    name = schema.string(1)
    inner = schema.nested(2, Inner)
    family = schema.u8(3, enum=Family)
    address = schema.ip(4)
    numbers = schema.packed(5, schema.u32)
    inners = schema.array(6, Inner)


INNERS = [Inner(at=n, family=n, name="x" * (n % 5)) for n in range(256)] * 2
# The later ones lack what the first ones have, and the last one has much of it.
OUTERS = [
    Outer(name="x" * n, inner=Inner(at=n), family=n % 256, address="::1", numbers=[n] * n, inners=INNERS[:1]).encode()
    for n in range(260)
]
OUTERS += [b"", Outer(name="last", numbers=range(300), inners=INNERS).encode()]


def arrow_array() -> None:
    Outer.decode_many(OUTERS).arrow().__arrow_c_array__()


def arrow_stream() -> None:
    batch = Outer.decode_many(OUTERS)
    try:
        import pyarrow
    except ImportError:
        batch.arrow().__arrow_c_stream__()
    else:
        assert pyarrow.table(batch).num_rows == len(batch)


def declare() -> None:
    class Inner(AttributeSet):
        at = schema.u32(1)

    class Outer(AttributeSet):
        name = schema.string(1)
        inner = schema.nested(2, Inner)

    assert Outer.decode(Outer(name="x", inner=Inner(at=2)).encode()).inner == Inner(at=2)


def write_pcapng() -> None:
    batch = Packet.decode_many(PACKETS)
    with pcapng.Writer(io.BytesIO(), pcapng.LinkType.NFLOG) as out:
        out.write_batch(batch)


def dump() -> None:
    with conntrack.dial() as ct:
        assert len(ct.dump()) >= 100


def listen() -> None:
    with conntrack.dial() as ct:
        ct.flush()
        with conntrack.listen() as events:
            ct.create(Flow.decode(FLOWS[0]))
            next(events)


NEED_CONNTRACK = {"dump", "listen"}
_ALL = (
    ring,
    execute,
    fixed_buffer,
    receive_ring,
    decode,
    construct,
    arrow_array,
    arrow_stream,
    declare,
    write_pcapng,
    dump,
    listen,
)
SCENARIOS: dict[str, Callable[[], None]] = {scenario.__name__: scenario for scenario in _ALL}


def refused(error: BaseException) -> bool:
    """Whether it says that there is no memory."""
    return isinstance(error, MemoryError) or (isinstance(error, OpError) and error.errno == errno.ENOMEM)


def main(name: str) -> None:
    libc = ctypes.CDLL(None)
    libc.failing_malloc_arm.argtypes = [ctypes.c_long]
    libc.failing_malloc_count.restype = libc.failing_malloc_live.restype = ctypes.c_long

    def live() -> int:
        gc.collect()
        release_memory()
        return int(libc.failing_malloc_live())

    warnings.simplefilter("ignore")  # of counters that are switched off
    scenario = SCENARIOS[name]
    scenario()  # objects that are made once
    before = live()
    n = 0
    while True:
        libc.failing_malloc_arm(n)
        error: Any = None
        try:
            scenario()
        except BaseException as caught:
            error = caught.with_traceback(None)
        made = libc.failing_malloc_count()
        libc.failing_malloc_arm(-1)
        if made <= n:  # nothing failed
            assert error is None, repr(error)
            break
        assert error is None or refused(error), f"allocation {n}: {error!r}"
        del error
        assert live() == before, f"allocation {n}: {live() - before} blocks are left"
        n += 1
    assert n, "no allocation was seen"
    print(n)


if __name__ == "__main__":
    main(sys.argv[1])
