"""Generic netlink on the real kernel: mdlayher/genetlink's examples, families by name, the controller, streams."""

from __future__ import annotations

import asyncio
import errno
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from enum import IntEnum
from typing import Any

import pytest

import netns
from kernel.tools import unprivileged
from netlink import AttributeDecoder, Config, Conn, HeaderFlags, OpError, generic, validate
from netlink.consts import ConnOption, GenericID
from netlink.family import Address, C, Call, Deferred, Do, Dump, Listen
from netlink.generic import FamilyInfo, nlctrl
from netlink.generic.genetlink import Command, lookup
from netlink.schema import AttributeSet, Field, Int, Member, Str, event, flag, nested, string, u32, u64
from netlink.stream import ResyncBegin, ResyncEnd, Stream
from pace import SLOWNESS

REQUEST, DUMP = HeaderFlags.REQUEST, HeaderFlags.DUMP


class NetdevCommand(IntEnum):
    """linux/netdev.h."""

    GET = 1  # NETDEV_CMD_DEV_GET
    ADD = 2  # NETDEV_CMD_DEV_ADD_NTF
    DEL = 3  # NETDEV_CMD_DEV_DEL_NTF
    CHANGE = 4  # NETDEV_CMD_DEV_CHANGE_NTF


class Device(AttributeSet):
    """NETDEV_A_DEV_*."""

    index: Int = u32(1)
    xdp_features: Int = u64(3)
    event: Member[NetdevCommand] = event(NetdevCommand)


class Netdev(generic.Family[C], name="netdev", needs="a kernel of 6.3 or later"):
    """Devices of the network namespace."""

    get = Do(NetdevCommand.GET, Device, Device)
    dump = Dump(NetdevCommand.GET, None, Device)
    listen = Listen(
        {command: (Device, command) for command in NetdevCommand if command != NetdevCommand.GET},
        groups=["mgmt"],
        state=dump,
    )
    odd = Listen({2: Device}, groups=["mgmt", "nobody"])


class EthtoolHeader(AttributeSet):
    """ETHTOOL_A_HEADER_*."""

    index: Int = u32(1)
    name: Str = string(2)


class Channels(AttributeSet):
    """ETHTOOL_A_CHANNELS_*: an attribute has the name of the header."""

    header: Field[EthtoolHeader | None] = nested(1, EthtoolHeader)
    rx_max: Int = u32(2)
    combined_count: Int = u32(9)
    wrong: Field[bool] = flag(77)


class Ethtool(generic.Family[C], name="ethtool"):
    """Channels of devices (ETHTOOL_MSG_CHANNELS_*)."""

    get = Do(17, Channels, Channels)
    dump = Dump(17, Channels)
    set = Do(18, Channels)


def needed(family: Any) -> None:
    """Skip without a family."""
    with nlctrl.dial() as ctrl:
        try:
            ctrl.get_family(family.name)
        except FileNotFoundError:
            pytest.skip(f"this kernel has no {family.name} in generic netlink")


@pytest.fixture
def netdev() -> Iterator[Netdev]:
    needed(Netdev)
    with netlink_dial(Netdev) as family:
        yield family


@pytest.fixture
def ethtool() -> Iterator[Ethtool]:
    needed(Ethtool)
    with netlink_dial(Ethtool) as family:
        yield family


def netlink_dial(cls: Any, **options: Any) -> Any:
    from netlink.family import dial

    return dial(cls, **options)


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """asyncio.run, for no longer than a while."""

    async def bounded() -> None:
        await asyncio.wait_for(main(), 20 * SLOWNESS)

    asyncio.run(bounded())


# mdlayher/genetlink's examples, line by line


def test_example_conn_get_family() -> None:
    c = generic.dial()
    try:
        # Ask generic netlink about the generic netlink controller's family information.
        name = "nlctrl"
        try:
            family = c.get_family(name)
        except FileNotFoundError:
            pytest.fail(f"{name!r} family not available")
        assert (family.id, family.name, family.version) == (16, "nlctrl", 2)
        assert [group.name for group in family.groups or ()] == ["notify"]
    finally:
        c.close()


def test_example_conn_list_families() -> None:
    with generic.dial() as c:
        # Ask generic netlink about all families registered with it.
        families = c.list_families()
        for f in families:
            assert f.name
            assert f.id
    assert "nlctrl" in [f.name for f in families]


def test_example_conn_dump_of_a_family() -> None:
    """The example asks nl80211 for its interfaces, which few test machines have: here netdev for its devices."""
    with generic.dial() as c:
        name = "netdev"
        try:
            family = c.get_family(name)
        except FileNotFoundError:
            pytest.skip(f"{name!r} family not available")
        assert family.id is not None
        assert family.version is not None
        # Ask for a list of all devices.
        req = generic.Message(command=NetdevCommand.GET, version=family.version)
        flags = HeaderFlags.REQUEST | HeaderFlags.DUMP
        msgs = c.execute(req, family.id, flags)
        infos = []
        for m in msgs:
            # The response contains packed netlink attributes.
            ad = AttributeDecoder(m.data)
            info = {}
            for attribute in ad:
                if attribute.type == 1:
                    info["index"] = attribute.uint32()
            infos.append(info)
    assert infos == [{"index": 1}]


def test_a_family_that_does_not_exist() -> None:
    with generic.dial() as c, pytest.raises(FileNotFoundError, match="no generic netlink family 'NOTEXISTS' here"):
        c.get_family("NOTEXISTS")


def test_send_receive_and_validate() -> None:
    with generic.dial() as c:
        sent = c.send(generic.Message(Command.GETFAMILY, 1), GenericID.CTRL, REQUEST | DUMP)
        messages, replies = c.receive()
        validate(sent, replies)
        assert {m.command for m in messages} == {Command.NEWFAMILY}
        assert len(messages) == len(replies) == len(c.list_families())
        # An acknowledgement is no message of generic netlink.
        request = generic.Message(Command.GETFAMILY, 1, FamilyInfo(name="nlctrl").encode())
        flags = REQUEST | HeaderFlags.ACKNOWLEDGE
        assert len(c.execute(request, GenericID.CTRL, flags)) == 1


def test_groups_programs_options_buffers_and_deadlines_are_those_of_the_connection() -> None:
    with generic.dial(Config(strict=True)) as c:
        (notify,) = c.get_family("nlctrl").groups or ()
        assert notify.id is not None
        c.conn.join_group(notify.id)
        c.conn.leave_group(notify.id)
        c.conn.set_option(ConnOption.NO_ENOBUFS, True)
        c.conn.set_read_buffer(8192)
        c.conn.set_bpf([(0x06, 0, 0, 0)])
        c.conn.set_deadline(0.0)
        with pytest.raises(TimeoutError):
            c.list_families()
        c.conn.remove_bpf()
        c.conn.set_deadline(None)
        assert c.list_families()
        assert c.conn.read_buffer() >= 8192


def test_the_same_in_an_event_loop() -> None:
    async def main() -> None:
        async with generic.dial_async() as c:
            family = await c.get_family("nlctrl")
            assert family.id == GenericID.CTRL
            with pytest.raises(FileNotFoundError, match="no generic netlink family 'NOTEXISTS'"):
                await c.get_family("NOTEXISTS")
            names = [each.name for each in await c.list_families()]
            messages = await c.execute(generic.Message(Command.GETFAMILY), family.id, REQUEST | DUMP)
            assert [FamilyInfo.decode(m.data).name for m in messages] == names
            sent = await c.send(generic.Message(Command.GETFAMILY), family.id, REQUEST | DUMP)
            messages, replies = await c.receive()
            validate(sent, replies)
            assert len(messages) == len(names)
            calls = [c.calls.get_family(name) for name in names if name]
            assert [each.name for each in await c.conn.execute_all(calls)] == names

    run(main)


# The controller


def genl_list() -> dict[str, tuple[int, int, int, int, dict[int, int], dict[str, int]]]:
    """What `genl ctrl list` prints: id, version, header size, greatest attribute, operations and groups by name."""
    tool = shutil.which("genl", path="/usr/sbin:/sbin:/usr/bin")
    if tool is None:
        pytest.skip("genl(8) of iproute2 is not installed")
    text = subprocess.run([tool, "ctrl", "list"], check=True, capture_output=True, text=True).stdout
    found = {}
    for part in re.split(r"^Name: ", text, flags=re.M)[1:]:
        head = re.match(r"(\S+)\s+ID: (\S+)  Version: (\S+)  header size: (\d+)  max attribs: (\d+)", part)
        assert head is not None
        operations = re.findall(r"#\d+:  ID-(\S+) \n\s*Capabilities \((\S+)\)", part)
        groups = re.findall(r"#\d+:  ID-(\S+)  name: (\S+)", part)
        found[head[1]] = (
            int(head[2], 0),
            int(head[3], 0),
            int(head[4]),
            int(head[5]),
            {int(id_, 0): int(flags, 0) for id_, flags in operations},
            {name: int(id_, 0) for id_, name in groups},
        )
    return found


def test_the_families_are_those_of_genl() -> None:
    expected = genl_list()
    assert expected
    with nlctrl.dial() as ctrl:
        found = {f.name: f for f in ctrl.list_families()}
        assert {
            name: (
                f.id,
                f.version,
                f.header_size,
                f.max_attribute,
                {each.id: each.flags for each in f.operations or ()},
                {each.name: each.id for each in f.groups or ()},
            )
            for name, f in found.items()
        } == expected
        for name, family in found.items():
            assert name is not None
            assert family.id is not None
            assert ctrl.get_family(name) == ctrl.get_family(family.id) == family
        with pytest.raises(FileNotFoundError, match="no generic netlink family of that name or number"):
            ctrl.get_family(999)


Limits = tuple[tuple[int, int] | None, int | None, int | None, int | None, int | None]


def genl_policies(name: str) -> tuple[dict[int, dict[str, int]], dict[int, dict[int, tuple[str, Limits]]]]:
    """What `genl ctrl policy` prints: numbers of policies by operation, and attributes by policy and type."""
    tool = shutil.which("genl", path="/usr/sbin:/sbin:/usr/bin")
    if tool is None:
        pytest.skip("genl(8) of iproute2 is not installed")
    text = subprocess.run([tool, "ctrl", "policy", "name", name], check=False, capture_output=True, text=True).stdout
    operations: dict[int, dict[str, int]] = {}
    attributes: dict[int, dict[int, tuple[str, Limits]]] = {}
    for number, policies in re.findall(r"op (\d+) policies:(.*)", text):
        # The kernel has 0 for each that only dumps.
        operations.setdefault(int(number), {}).update({k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", policies)})

    def number_in(pattern: str, line: str) -> int | None:
        match = re.search(pattern, line)
        return None if match is None else int(match[1])

    for policy, attribute, line in re.findall(r"policy\[(\d+)\]:attr\[(\d+)\]: type=(.*)", text):
        span = re.search(r"range:\[(-?\d+),(-?\d+)\]", line)
        limits = (
            None if span is None else (int(span[1]), int(span[2])),
            number_in(r"min len:(\d+)", line),
            number_in(r"max len:(\d+)", line),
            number_in(r"policy:(\d+)", line),
            number_in(r"maxattr:(\d+)", line),
        )
        attributes.setdefault(int(policy), {})[int(attribute)] = line.split()[0], limits
    return operations, attributes


def test_the_policies_are_those_of_genl() -> None:
    seen = 0
    refusals: list[OpError] = []
    with nlctrl.dial() as ctrl:
        for family in ctrl.list_families():
            assert family.name is not None
            try:
                found = ctrl.policies(family.name)
            except OpError as error:
                refusals.append(error)
                assert genl_policies(family.name) == ({}, {})
                continue
            operations, attributes = genl_policies(family.name)
            numbers: dict[int | None, dict[str, int | None]] = {}
            for each in found.operations:
                known = {k: v for k, v in (("do", each.do), ("dump", each.dump)) if v is not None}
                numbers.setdefault(each.operation, {}).update(known)
            assert numbers == operations
            assert {k: v.keys() for k, v in found.attributes.items()} == {k: v.keys() for k, v in attributes.items()}
            for policy, theirs in attributes.items():
                for type_, (kind, (span, least, most, inner, greatest)) in theirs.items():
                    one = found.attributes[policy][type_]
                    # genl may be older than the kernel, and not know a type.
                    assert kind in ("unknown", getattr(one.type, "name", None)), (family.name, policy, type_)
                    low = one.min_value if one.min_signed is None else one.min_signed
                    high = one.max_value if one.max_signed is None else one.max_signed
                    assert span in (None, (low, high))
                    assert (least, most, inner, greatest) == (
                        one.min_length,
                        one.max_length,
                        one.nested,
                        one.max_nested,
                    )
                    seen += 1
    assert seen > 5
    for refusal in refusals:
        assert (refusal.errno, refusal.hint) == (errno.ENODATA, "the family or operation has no policies")


def test_the_policy_of_one_operation() -> None:
    with nlctrl.dial() as ctrl:
        found = ctrl.policies("nlctrl", Command.GETFAMILY)
        assert [each.operation for each in found.operations] == [Command.GETFAMILY]
        assert found.of(Command.GETFAMILY)[2].max_length == 15
        if found.operations[0].dump is not None:  # Linux 6.1 does not tell
            assert found.of(Command.GETFAMILY, dump=True).keys() == {1, 2}
        assert ctrl.policies(16, Command.GETFAMILY) == found
        with pytest.raises(KeyError):
            found.of(Command.GETPOLICY)
        with pytest.raises(FileNotFoundError, match="no generic netlink family of that name or number here"):
            ctrl.policies("NOTEXISTS")


def test_policies_in_an_event_loop() -> None:
    async def main() -> None:
        async with nlctrl.dial_async() as ctrl:
            assert (await ctrl.policies("nlctrl")).of(Command.GETFAMILY)

    run(main)


def test_no_privilege_is_needed() -> None:
    def names() -> list[str | None]:
        with nlctrl.dial() as ctrl:
            return [f.name for f in ctrl.list_families()]

    assert unprivileged(names) == names()


# Families


def test_a_family_by_its_name(netdev: Netdev, conn: Conn) -> None:
    index = netns.add_link(conn, "first")
    assert netdev.get(index=index).index == index
    assert {device.index for device in netdev.dump()} >= {1, index}
    parts = [len(part) for part in netdev.iterate(netdev.calls.dump(), rows=1)]
    assert max(parts) == 1
    assert sum(parts) == len(netdev.dump())
    found = netdev.conn.execute_all([netdev.calls.get(index=n) for n in (1, 9999, index)])
    assert [found[0].index, found[2].index] == [1, index]
    assert isinstance(found[1], OpError)


def test_a_family_in_an_event_loop(netdev: Netdev) -> None:
    async def main() -> None:
        async with Netdev(netlink_dial_async()) as family:
            assert (await family.get(index=1)).index == 1
            assert [device.index for device in await family.dump()] == [1]
            assert [len(part) async for part in family.iterate(family.calls.dump())] == [1]
            assert (await family.conn.execute_all([family.calls.get(index=1)]))[0].index == 1

    run(main)


def netlink_dial_async() -> Any:
    from netlink.aio import dial

    return dial(generic.Family.protocol)


def test_a_field_may_be_named_header(ethtool: Ethtool) -> None:
    with pytest.raises(OpError) as caught:
        ethtool.get(header=EthtoolHeader(name="lo"))
    assert caught.value.errno == errno.EOPNOTSUPP
    assert caught.value.hint == "the kernel's family does not have this operation, or not for this object"
    assert len(ethtool.dump(header=EthtoolHeader())) == 0  # Linux 6.1 needs the header


def test_an_error_names_the_attribute_behind_the_header() -> None:
    needed(Ethtool)
    with netlink_dial(Ethtool) as ethtool:
        with pytest.raises(OpError) as caught:
            ethtool.set(header=EthtoolHeader(name="lo"), wrong=True)
        assert (caught.value.errno, caught.value.attribute) == (errno.EINVAL, "wrong")
        with pytest.raises(OpError) as caught:
            ethtool.get()
        assert (caught.value.errno, caught.value.attribute) == (errno.EINVAL, "header")
        assert caught.value.missing == 1
        with pytest.raises(OpError) as caught:
            ethtool.get(header=EthtoolHeader(name="nosuch"))
        assert caught.value.errno == errno.ENODEV
        assert caught.value.attribute == "header.name"


def test_an_unknown_family_is_not_found() -> None:
    class Missing(generic.Family[C], name="nosuchfamily", needs="CONFIG_NOSUCHFAMILY"):
        ping = Do(1)
        listen = Listen({1: Device}, groups=["x"])

    with netlink_dial(Missing) as missing:
        for ask in (missing.ping, missing.listen):
            with pytest.raises(FileNotFoundError, match="'nosuchfamily' here, which needs CONFIG_NOSUCHFAMILY"):
                ask()


class Moved:
    """A family whose number was another one at its first look-up, as before its module was loaded again."""

    def __init__(self) -> None:
        self.lookups = 0

    def steps(self) -> Any:
        self.lookups += 1
        found = yield lookup("netdev")
        return found if self.lookups > 1 else found.replace(id=999)

    def family(self) -> Any:
        class Of(Netdev[C]):
            address = Address("netdev", Call.of_steps(self.steps))

        return Of


@pytest.mark.parametrize(
    "ask",
    [
        lambda of: of.get(index=1),
        lambda of: of.dump()[0],
        lambda of: next(iter(of.iterate(of.calls.dump())))[0],
        lambda of: of.conn.execute_all([of.calls.get(index=1)] * 3)[2],
        lambda of: of.conn.execute_all([of.calls.dump()])[0][0],
    ],
)
def test_the_kernel_does_not_know_a_number_any_more(netdev: Netdev, ask: Callable[[Any], Device]) -> None:
    moved = Moved()
    with netlink_dial(moved.family()) as family:
        for _ in range(2):
            assert ask(family).index == 1
        # Once it is known, the fast way of a single request is taken.
        assert family.get(index=1).index == 1
    assert moved.lookups == 2


def test_a_fast_request_looks_a_number_up_again(netdev: Netdev) -> None:
    moved = Moved()
    with netlink_dial(moved.family()) as family:
        family.conn.execute(Call.of_steps(lambda: looked_up(family)))
        assert moved.lookups == 1
        assert family.get(index=1).index == 1
        assert moved.lookups == 2


def looked_up(family: Any) -> Any:
    """Look the number up, and nothing else: the kernel does not know it."""
    try:
        yield family.address.lookup
    except OpError:
        raise AssertionError from None
    return None


def test_nldebug_prints_the_records(netdev: Netdev, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLDEBUG", "format=text")
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)
    with netlink_dial(Netdev) as family:
        one = family.get(index=1)
        (all_,) = family.dump()
        family.conn.execute_all([family.calls.get(index=1)])
    lines = printed.getvalue().splitlines()
    assert f"nl: send: {FamilyInfo(name='netdev')!r}" in lines
    assert lines.count(f"nl: send: {Device(index=1)!r}") == 2
    assert lines.count(f"nl: recv: {one!r}") == (2 if one == all_ else 1)


# Streams


def test_events_of_a_group_by_its_name(netdev: Netdev, conn: Conn) -> None:
    with netdev.listen() as stream:
        index = netns.add_link(conn, "first")
        netns.delete_link(conn, index)
        seen = [next(stream) for _ in range(2)]
    assert [(device.index, device.event) for device in seen] == [(index, NetdevCommand.ADD), (index, NetdevCommand.DEL)]


def test_events_in_an_event_loop(netdev: Netdev, conn: Conn) -> None:
    async def main() -> None:
        from netlink.family import dial_async

        async with dial_async(Netdev) as family, family.listen() as stream:
            index = netns.add_link(conn, "first")
            device = await anext(stream)
            assert (device.index, device.event) == (index, NetdevCommand.ADD)

    run(main)


def test_a_resync_of_a_generic_family(netdev: Netdev, conn: Conn) -> None:
    stream: Stream[Device, Any]
    with netdev.listen(on_overrun="resync") as stream:
        stream.resync()
        seen = [next(stream) for _ in range(3)]
    assert [type(item) for item in seen] == [ResyncBegin, Device, ResyncEnd]
    assert (seen[1].index, seen[1].event) == (1, None)


def test_a_group_that_is_not_there_is_named(netdev: Netdev) -> None:
    with pytest.raises(FileNotFoundError, match="'netdev' of this kernel has no multicast group 'nobody'; it has mgmt"):
        netdev.odd()


def test_the_controller_s_events_are_listened_to() -> None:
    with nlctrl.dial() as ctrl, ctrl.listen(on_overrun="resync") as stream:
        stream.resync()
        seen = [next(stream) for _ in range(2 + len(ctrl.list_families()))]
        assert [type(item) for item in seen[1:-1]] == [FamilyInfo] * (len(seen) - 2)


def test_calls_of_a_family_without_a_connection(netdev: Netdev) -> None:
    calls = Netdev(Deferred())
    assert netdev.conn.execute(calls.get(index=1)).index == 1
    with generic.dial() as c:
        assert c.conn.execute(calls.get(index=1)).index == 1
