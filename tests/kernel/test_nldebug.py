"""What NLDEBUG prints of the requests of a family, whose messages have declarations."""

from __future__ import annotations

import io

import pytest

from netlink import Header, Message
from netlink.consts import Family as Protocol
from netlink.debug import Debugger
from netlink.family import C, Do, Dump, Family, dial
from netlink.schema import AttributeSet, Int, Str, Struct, s32, string, u8, u16, u32


class IfInfoMsg(Struct):
    """struct ifinfomsg."""

    family: Int = u8()
    pad: Int = u8()
    type: Int = u16()
    index: Int = s32()
    flags: Int = u32()
    change: Int = u32()


class Link(AttributeSet, header=IfInfoMsg):
    """IFLA_*: a link."""

    index: Int = IfInfoMsg.index
    name: Str = string(3)  # IFLA_IFNAME


class Links(Family[C], protocol=Protocol.ROUTE):
    """Links by their index."""

    dump = Dump(18, Link)  # RTM_GETLINK
    get = Do(18, Link, Link)


@pytest.mark.parametrize("fmt", ["text", "mnl"])
def test_the_records_of_operations_are_printed(fmt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLDEBUG", f"format={fmt}")
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)
    with dial(Links) as links:
        found = links.dump()
        links.conn.execute_all([links.calls.get(index=1)])
        one = links.get(index=1)
        links.conn.execute(Message(Header(type=1, flags=5)))
    lines = printed.getvalue().splitlines()
    assert len(found) >= 1
    # What goes over the wire has a header.
    assert lines.count(f"nl: send: {Link.decode(Link().encode())!r}") == 1
    assert lines.count(f"nl: send: {Link.decode(Link(index=1).encode())!r}") == 2
    assert all(f"nl: recv: {link!r}" in lines for link in found)
    assert lines.count(f"nl: recv: {one!r}") == 1 + [*found].count(one)


def test_a_message_that_is_no_record_is_said_to_be_none() -> None:
    printed = io.StringIO()
    debugger = Debugger(0, fmt="text", stream=printed)
    debugger.received([Message(Header(type=18), b"?"), Message(Header(type=3), b"?")], Link)
    assert printed.getvalue().count("nl: recv: no Link: ") == 1
