"""What the kernel says of a request that it refuses: offsets, missing attributes and policies, and their paths.

What a kernel has is found by asking it; families and attributes that it lacks skip their test.
"""

from __future__ import annotations

import errno
import pickle
from collections.abc import Callable, Iterator

import pytest

from netlink import AttributeDecoder, Config, Conn, Family, Header, HeaderFlags, Message, OpError, Policy, dial
from netlink._engine.paths import explain
from netlink.consts import GenericID, PolicyType
from netlink.schema import AttributeSet, Record, Struct, nested, s32, string, submessage, u8, u16, u32
from netns import ACK, DUMP, LOOPBACK, RTM_NEWLINK

CREATE = ACK | HeaderFlags.CREATE | HeaderFlags.EXCL
CTRL_CMD_GETFAMILY = 3  # linux/genetlink.h


class IfInfoMsg(Struct):
    """struct ifinfomsg, linux/rtnetlink.h."""

    family = u16()  # and its padding
    type = u16()
    index = s32()
    flags = u32()
    change = u32()


class Vxlan(AttributeSet):
    """IFLA_VXLAN_*, linux/if_link.h."""

    id = u32(1)


class Bridge(AttributeSet):
    """IFLA_BR_*, linux/if_link.h. The first is u32 in the kernel."""

    forward_delay = u8(1)


class LinkInfo(AttributeSet):
    """IFLA_INFO_*, linux/if_link.h."""

    kind = string(1)
    data = submessage(2, "kind", {"vxlan": Vxlan, "bridge": Bridge})


class Link(AttributeSet, header=IfInfoMsg):
    """IFLA_*, linux/if_link.h. The MTU is u32 in the kernel."""

    name = string(3)
    mtu = u16(4)
    linkinfo = nested(18, LinkInfo)


class GenlMsg(Struct):
    """struct genlmsghdr, linux/genetlink.h."""

    cmd = u8()
    version = u8()
    reserved = u16()


class Control(AttributeSet, header=GenlMsg):
    """CTRL_ATTR_*, linux/genetlink.h. The id is u16 in the kernel."""

    family_id = u8(1)
    family_name = string(2)


class EthtoolHeader(AttributeSet):
    """ETHTOOL_A_HEADER_*, linux/ethtool_netlink.h."""

    dev_index = u32(1)
    dev_name = string(2)
    flags = u32(3)


class Rings(AttributeSet, header=GenlMsg):
    """ETHTOOL_A_RINGS_*, linux/ethtool_netlink.h."""

    header_ = nested(1, EthtoolHeader)
    tcp_data_split = u8(11)


class Provider(AttributeSet):
    """ETHTOOL_A_TS_HWTSTAMP_PROVIDER_*, linux/ethtool_netlink_generated.h."""

    index = u32(1)
    qualifier = u32(2)


class TSInfo(AttributeSet, header=GenlMsg):
    """ETHTOOL_A_TSINFO_*, linux/ethtool_netlink_generated.h."""

    header_ = nested(1, EthtoolHeader)
    provider = nested(7, Provider)


@pytest.fixture
def route() -> Iterator[Conn]:
    with dial(Family.ROUTE, Config(strict=True)) as conn:
        yield conn


@pytest.fixture
def generic() -> Iterator[Conn]:
    with dial(Family.GENERIC, Config(strict=True)) as conn:
        yield conn


def refusal(conn: Conn, type_: int, record: Record, flags: int = ACK) -> OpError:
    """What the kernel says of a request, its attribute found in the declaration."""
    payload = record.encode()
    with pytest.raises(OpError) as caught:
        conn.execute(Message(Header(type=type_, flags=flags), payload))
    explain(caught.value, type(record), payload)
    return caught.value


def family_id(conn: Conn, name: str) -> int:
    """The number of a family of generic netlink."""
    request = Control(header=GenlMsg(cmd=CTRL_CMD_GETFAMILY, version=1), family_name=name)
    message = Message(Header(type=GenericID.CTRL, flags=HeaderFlags.REQUEST), request.encode())
    try:
        (reply,) = conn.execute(message)
    except FileNotFoundError:
        pytest.skip(f"this kernel has no {name} in generic netlink")
    return AttributeDecoder(reply.data[4:])[1].uint16()


def says(error: OpError, name: str) -> None:
    """Skip where the kernel refuses without saying what the test is of."""
    if not getattr(error, name):
        pytest.skip(f"this kernel says no {name}: {error}")


# Offsets


def test_the_offset_of_an_attribute(route: Conn) -> None:
    error = refusal(route, RTM_NEWLINK, Link(name="d0", mtu=100), CREATE)
    says(error, "offset")
    assert error.attribute == "mtu"
    assert error.offset == 16 + 16 + 8
    assert "attribute: mtu, offset: 40" in str(error)


def test_the_offset_of_a_nested_attribute(route: Conn) -> None:
    error = refusal(route, RTM_NEWLINK, Link(linkinfo=LinkInfo(kind="vxlan", data=Vxlan(id=1 << 30))), CREATE)
    says(error, "offset")  # EOPNOTSUPP where there are no VXLANs
    assert (error.errno, error.attribute) == (errno.ERANGE, "linkinfo.data.id")


def test_the_offset_of_an_attribute_in_a_submessage_with_its_policy(route: Conn) -> None:
    error = refusal(route, RTM_NEWLINK, Link(linkinfo=LinkInfo(kind="bridge", data=Bridge(forward_delay=5))), CREATE)
    says(error, "policy")
    assert error.attribute == "linkinfo.data.forward_delay"
    assert error.policy == Policy(PolicyType.U32, min=0, max=0xFFFF_FFFF)


def test_a_refusal_of_the_whole_request_has_no_path(route: Conn) -> None:
    error = refusal(route, RTM_NEWLINK, Link(linkinfo=LinkInfo()), CREATE)
    assert (error.attribute, error.offset, error.missing, error.policy) == ("", 0, None, None)


def test_without_strictness_an_error_is_a_number(conn: Conn) -> None:
    error = refusal(conn, RTM_NEWLINK, Link(name="d0", mtu=100), CREATE)
    assert (error.message, error.offset, error.missing, error.policy, error.attribute) == ("", 0, None, None, "")


# Policies


def test_the_policy_of_a_text(route: Conn) -> None:
    error = refusal(route, RTM_NEWLINK, Link(name="d" * 40), CREATE)
    says(error, "policy")
    assert error.attribute == "name"
    assert error.policy is not None
    assert (error.policy.max_length, error.policy.min, error.policy.mask) == (15, None, None)  # IFNAMSIZ - 1
    assert "up to 15 bytes long" in str(error)


def test_the_policy_of_an_integer_s_width(generic: Conn) -> None:
    error = refusal(generic, GenericID.CTRL, Control(header=GenlMsg(cmd=CTRL_CMD_GETFAMILY), family_id=1))
    says(error, "policy")
    assert error.attribute == "family_id"
    assert error.policy == Policy(PolicyType.U16, min=0, max=0xFFFF)


def test_the_policy_of_an_integer_s_range(generic: Conn) -> None:
    request = Rings(header=GenlMsg(cmd=16), header_=EthtoolHeader(dev_name="lo"), tcp_data_split=9)  # RINGS_SET
    error = refusal(generic, family_id(generic, "ethtool"), request)
    says(error, "policy")
    if error.policy and error.policy.max == 0xFF:
        pytest.skip("this kernel has no range for it")
    assert (error.errno, error.attribute) == (errno.ERANGE, "tcp_data_split")
    assert error.policy == Policy(PolicyType.U8, min=0, max=2)  # ETHTOOL_TCP_DATA_SPLIT_ENABLED
    assert "allowed: u8 from 0 to 2" in str(error)


# What is missing


def test_a_missing_attribute(generic: Conn) -> None:
    error = refusal(generic, family_id(generic, "ethtool"), Rings(header=GenlMsg(cmd=15)))  # RINGS_GET
    says(error, "missing")
    assert (error.errno, error.missing, error.nest, error.offset) == (errno.EINVAL, 1, 0, 0)
    assert error.attribute == "header_"
    assert str(error) == "netlink receive: Invalid argument, missing: header_"
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__


def test_a_missing_attribute_of_another(generic: Conn) -> None:
    request = TSInfo(  # TSINFO_GET
        header=GenlMsg(cmd=25), header_=EthtoolHeader(dev_index=LOOPBACK), provider=Provider(index=0)
    )
    error = refusal(generic, family_id(generic, "ethtool"), request)
    says(error, "nest")
    assert (error.missing, error.nest) == (2, 16 + 4 + 12)
    assert error.attribute == "provider.qualifier"


# The errors of other ways to the kernel


@pytest.mark.parametrize("verb", ["execute", "receive"])
def test_every_verb_has_it(generic: Conn, verb: str) -> None:
    message = Message(Header(type=family_id(generic, "ethtool"), flags=ACK), Rings(header=GenlMsg(cmd=15)).encode())
    act: Callable[[], object] = (
        (lambda: generic.execute(message)) if verb == "execute" else lambda: (generic.send(message), generic.receive())
    )
    with pytest.raises(OpError) as caught:
        act()
    says(caught.value, "missing")
    assert caught.value.missing == 1


def test_a_dump_s_end_has_it(generic: Conn) -> None:
    # netdev's dump of queues of one device, whose number has one byte instead of four.
    message = Message(Header(type=family_id(generic, "netdev"), flags=DUMP), b"\x0a\1\0\0" + b"\x05\0\x01\0\1\0\0\0")
    with pytest.raises(OpError) as caught:
        generic.execute(message)
    says(caught.value, "offset")
    assert caught.value.offset == 20
