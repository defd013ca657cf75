"""conntrack and nflog as families on the real kernel: in an event loop, as calls, and what is refused beforehand."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import netns
from kernel.flows import TCP, UDP, accounting, nft, tuples, varied
from netlink import OpError
from netlink.netfilter import conntrack, nflog
from netlink.netfilter.conntrack import Expect, Filter, Flow, ProtoInfo, TCPInfo, Tuple
from pace import SLOWNESS

MASK = Tuple(src="255.255.255.255", dst="255.255.255.255", proto=255, src_port=0, dst_port=0xFFFF)


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """asyncio.run, for no longer than a while."""

    async def bounded() -> None:
        await asyncio.wait_for(main(), 20 * SLOWNESS)

    asyncio.run(bounded())


def flow(number: int, proto: int = UDP, version: int = 4, **values: Any) -> Flow:
    return Flow(**tuples(number, proto, version), **{"timeout": 600} | values)


# conntrack in an event loop


def test_the_table_in_an_event_loop(ct: conntrack.Conn) -> None:
    async def main() -> None:
        flows = varied()
        async with conntrack.dial_async() as table:
            for each in flows:
                await table.create(each)
            assert len(await table.dump()) == len(flows)
            parts = [len(part) async for part in table.iterate(table.calls.dump(), rows=50)]
            assert sum(parts) == len(flows)
            assert max(parts) == 50
            assert sum([len(part) async for part in table.iter_dump(Filter(proto=UDP))]) == len(
                ct.dump(Filter(proto=UDP))
            )
            one = flow(9000, mark=1)
            await table.create(one)
            with pytest.raises(FileExistsError):
                await table.create(one)
            assert (await table.get(one)).mark == 1
            await table.update(Flow(orig=one.orig, mark=5))
            assert (await table.get(one)).mark == ct.get(one).mark == 5
            await table.delete(one)
            with pytest.raises(FileNotFoundError) as caught:
                await table.get(one)
            assert "no such flow" in caught.value.hint  # type: ignore[attr-defined]
            await table.flush()
            assert len(ct.dump()) == 0

    run(main)


def test_a_flush_flow_by_flow_in_an_event_loop(ct: conntrack.Conn) -> None:
    async def main() -> None:
        async with conntrack.dial_async() as table:
            for n in range(1, 6):
                await table.create(flow(n, version=6))
                await table.create(flow(n, version=4))
            # The kernel cannot filter by IPv6 addresses.
            await table.flush(Filter(orig=Tuple(src="fd00::3")))
            assert sorted(str(each.orig.src) for each in await table.dump(family=socket.AF_INET6)) == [
                f"fd00::{n}" for n in (1, 2, 4, 5)
            ]
            await table.flush(family=socket.AF_INET6)
            assert len(await table.dump()) == 5

    run(main)


def test_counters_and_expectations_in_an_event_loop(ct: conntrack.Conn) -> None:
    async def main() -> None:
        async with conntrack.dial_async() as table:
            assert len(await table.stats()) == len(ct.stats()) > 0
            assert len(await table.stats_expect()) == len(ct.stats_expect())
            accounting()
            master = flow(1, TCP, helper="ftp", protoinfo=ProtoInfo(tcp=TCPInfo(state=3)))
            try:
                await table.create(master)
            except OpError as error:
                if error.errno == errno.EOPNOTSUPP:
                    pytest.skip("the kernel has no nf_conntrack_ftp")
                raise
            assert (await table.stats_global()).entries == 1
            assert len(await table.dump(zero=True)) == 1
            announced = Expect(
                master=master.orig,
                tuple=Tuple(src=master.orig.dst, dst=master.orig.src, proto=TCP, src_port=0, dst_port=7),
                mask=MASK,
                timeout=60,
            )
            await table.create_expect(announced)
            (found,) = await table.dump_expect()
            assert found.tuple == announced.tuple
            assert (await table.get_expect(found)).id == found.id
            await table.delete_expect(found)
            with pytest.raises(FileNotFoundError):
                await table.delete_expect(found)
            await table.create_expect(announced)
            await table.flush_expect()
            assert len(await table.dump_expect()) == 0

    run(main)


# Calls


def test_thousands_of_calls_some_of_which_are_refused(ct: conntrack.Conn) -> None:
    netns.require_conntrack(5000)
    wanted = [flow(1 + n % 4900) for n in range(5000)]  # the last 100 are there already
    answers = ct.conn.execute_all(ct.calls.create(each) for each in wanted)
    assert len(answers) == 5000
    assert answers[:4900] == [None] * 4900
    for answer in answers[4900:]:
        assert isinstance(answer, FileExistsError)
        assert answer.hint == conntrack.Conn.hints[errno.EEXIST]
    assert ct.stats_global().entries == 4900
    found = ct.conn.execute_all(
        [ct.calls.get(wanted[0]), ct.calls.dump(Filter(src="10.0.0.2")), ct.calls.stats_global()]
    )
    one, two, stats = found
    assert isinstance(one, Flow)
    assert one.orig == wanted[0].orig
    assert [each.orig for each in two] == [wanted[1].orig]  # type: ignore[union-attr]
    assert stats.entries == 4900  # type: ignore[union-attr]

    async def main() -> None:
        async with conntrack.dial_async() as table:
            deleted = await table.conn.execute_all(table.calls.delete(each) for each in wanted)
            assert [answer is None for answer in deleted] == [True] * 4900 + [False] * 100
            assert all(isinstance(answer, FileNotFoundError) for answer in deleted[4900:])

    run(main)
    assert ct.stats_global().entries == 0


# What the kernel answers with nothing but "Invalid argument"

WHOLE = flow(1)
PING = flow(2, 1)
V6 = tuples(1, UDP, 6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (WHOLE.replace(timeout=None), "a new flow needs timeout"),
        (WHOLE.replace(reply=None), "needs reply"),
        (WHOLE.replace(reply=V6["reply"]), "two address families"),
        (WHOLE.replace(orig=WHOLE.orig.replace(dst="fd00::1")), "two address families"),
        (WHOLE.replace(orig=WHOLE.orig.replace(dst=None)), "orig needs dst"),
        (WHOLE.replace(reply=WHOLE.reply.replace(proto=None)), "reply needs proto"),
        (WHOLE.replace(orig=WHOLE.orig.replace(dst_port=None)), "orig needs dst_port"),
        (PING.replace(reply=PING.reply.replace(icmp_id=None)), "reply needs icmp_id"),
    ],
)
def test_a_flow_that_the_kernel_would_refuse_without_a_word(ct: conntrack.Conn, wrong: Flow, said: str) -> None:
    ct.create(WHOLE)
    ct.create(PING)
    ct.flush()
    with pytest.raises(ValueError, match=said):
        ct.create(wrong)
    with pytest.raises(OpError) as caught:
        ct.create_flow(wrong.replace(family=socket.AF_INET))
    assert (caught.value.errno, caught.value.message) == (errno.EINVAL, "")


def test_an_update_of_two_address_families(ct: conntrack.Conn) -> None:
    ct.create(WHOLE)
    for verb in (ct.update, ct.get):
        with pytest.raises(ValueError, match="two address families"):
            verb(Flow(orig=WHOLE.orig.replace(dst="fd00::1"), mark=1))
    with pytest.raises(ValueError, match="two address families"):
        ct.update(Flow(orig=WHOLE.orig, reply=V6["reply"], mark=1))


ANNOUNCED = Expect(
    master=tuples(1, TCP)["orig"],
    tuple=Tuple(src="192.0.2.1", dst="10.0.0.1", proto=TCP, src_port=0, dst_port=7),
    mask=MASK,
    timeout=60,
)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Expect(tuple=ANNOUNCED.tuple, mask=MASK, timeout=60), "a new expectation needs master"),
        (Expect(master=ANNOUNCED.master, mask=MASK, timeout=60), "needs tuple"),
        (Expect(master=ANNOUNCED.master, tuple=ANNOUNCED.tuple, timeout=60), "needs mask"),
        (ANNOUNCED.replace(timeout=None), "needs timeout"),
        (ANNOUNCED.replace(mask=Tuple(src="::1", dst="::1", proto=255)), "two address families"),
        (ANNOUNCED.replace(tuple=ANNOUNCED.tuple.replace(dst_port=None)), "tuple needs dst_port"),
    ],
)
def test_an_expectation_that_the_kernel_would_refuse_without_a_word(
    ct: conntrack.Conn, wrong: Expect, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ct.create_expect(wrong)


# nflog


@contextlib.contextmanager
def listener() -> Iterator[nflog.Log]:
    try:
        log = nflog.listen(5, timeout=0, queue_threshold=1)
    except OpError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EINVAL, errno.EOPNOTSUPP):
            pytest.skip(f"no nfnetlink_log: {error}")
        raise
    with log:
        nft("add table inet l; add chain inet l o { type filter hook output priority 0; }; "
            'add rule inet l o udp dport 9 log group 5 prefix "out: "')  # fmt: skip
        yield log


def send(*datas: bytes) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sink, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sink.bind(("127.0.0.1", 9))
        for data in datas:
            sock.sendto(data, ("127.0.0.1", 9))


def test_a_group_is_configured() -> None:
    with listener(), nflog.dial() as log:
        log.configure(group=6, cmd=nflog.ConfigCommand.BIND)
        log.configure(nflog.Config(group=6, qthresh=3, timeout=1))
        with pytest.raises(OpError) as caught:
            log.configure(group=7, qthresh=3)  # which it has not bound
        assert caught.value.errno == errno.ENODEV
        answers = log.conn.execute_all(
            log.calls.configure(group=group, cmd=nflog.ConfigCommand.UNBIND) for group in (6, 6)
        )
        assert answers[0] is None
        assert getattr(answers[1], "errno", None) == errno.ENODEV

        async def main() -> None:
            async with nflog.dial_async() as other:
                await other.configure(group=6, cmd=nflog.ConfigCommand.BIND)
                await other.configure(group=6, cmd=nflog.ConfigCommand.UNBIND)

        run(main)


def test_packets_in_an_event_loop() -> None:
    async def main() -> None:
        # Opened inside of the running loop.
        with listener() as log:
            waiting = asyncio.ensure_future(anext(log_of(log)))
            await asyncio.sleep(0)
            assert not waiting.done()
            send(b"one", b"two", b"three")
            packets = [await waiting]
            async for packet in log:
                packets.append(packet)
                if len(packets) == 3:
                    break
            assert [bytes(packet.payload or b"")[28:] for packet in packets] == [b"one", b"two", b"three"]
            assert {packet.prefix for packet in packets} == {"out: "}
            log.stop()
            assert [packet async for packet in log] == []

    async def log_of(log: nflog.Log) -> Any:
        async for packet in log:
            yield packet

    run(main)
