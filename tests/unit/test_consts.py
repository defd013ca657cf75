"""netlink.consts: how the numbers print, and whether they are the kernel's."""

from __future__ import annotations

import copy
import enum
import pickle
import sys
import threading

import pytest

from netlink import consts
from netlink.consts import NESTED, NET_BYTE_ORDER, ConnOption, Family, HeaderFlags, HeaderType
from probe import c_names, c_values, headers_version, uapi_names

ENUMS = [value for name in consts.__all__ if isinstance(value := getattr(consts, name), enum.EnumMeta)]
UAPI = uapi_names(consts.__file__)

NETLINK_H = "linux/netlink.h"
NFNETLINK_H = "linux/netfilter/nfnetlink.h"

# Where the numbers of each enum come from; "" is the module itself.
HEADERS = {
    "": [NETLINK_H, NFNETLINK_H, "sys/socket.h"],
    "AuditGroup": ["linux/audit.h"],
    "ConnOption": [NETLINK_H],
    "ConnectorIndex": ["linux/connector.h"],
    "ErrorAttribute": [NETLINK_H],
    "Family": [NETLINK_H],
    "GenericID": ["linux/genetlink.h"],
    "HeaderFlags": [NETLINK_H],
    "HeaderType": [NETLINK_H],
    "NetfilterGroup": [NFNETLINK_H],
    "NetfilterSubsystem": [NFNETLINK_H],
    "PolicyType": [NETLINK_H],
    "RouteGroup": ["linux/rtnetlink.h"],
    "SockDiagGroup": ["linux/sock_diag.h"],
    "XfrmGroup": ["linux/xfrm.h"],
}

# Groups of the headers that must be here in full: scopes, pattern, and what is left out on purpose.
GROUPS: list[tuple[list[str], str, set[str]]] = [
    (
        ["Family", "ConnOption"],
        "NETLINK_[A-Z0-9_]+",
        {
            # Not switches: groups have verbs of their own, and the kernel dropped mmap in 4.6.
            "NETLINK_ADD_MEMBERSHIP",
            "NETLINK_DROP_MEMBERSHIP",
            "NETLINK_LIST_MEMBERSHIPS",
            "NETLINK_RX_RING",
            "NETLINK_TX_RING",
            # States of a socket in the kernel.
            "NETLINK_CONNECTED",
            "NETLINK_UNCONNECTED",
        },
    ),
    # The rest of NLMSG_* are sizes.
    (["HeaderType"], "NLMSG_(?!ALIGNTO|HDRLEN|MIN_TYPE)[A-Z]+", set()),
    (["HeaderFlags"], "NLM_F_[A-Z_]+", set()),
    (["ErrorAttribute"], "NLMSGERR_ATTR_[A-Z_]+", {"NLMSGERR_ATTR_UNUSED", "NLMSGERR_ATTR_MAX"}),
    (["PolicyType"], "NL_ATTR_TYPE_[A-Z0-9_]+", set()),
    (["RouteGroup"], "RTNLGRP_[A-Za-z0-9_]+", {"RTNLGRP_MAX"}),
    (["NetfilterGroup"], "NFNLGRP_[A-Z0-9_]+", {"NFNLGRP_MAX"}),
    (["NetfilterSubsystem"], "NFNL_SUBSYS_[A-Z0-9_]+", {"NFNL_SUBSYS_COUNT"}),
    ([""], "NFNL_MSG_[A-Z_]+|NLA_F_[A-Z_]+|SOL_NETLINK", set()),
    (["SockDiagGroup"], "SKNLGRP_[A-Z0-9_]+", {"SKNLGRP_MAX"}),
    (["XfrmGroup"], "XFRMNLGRP_[A-Z0-9_]+", {"XFRMNLGRP_MAX"}),
    (["AuditGroup"], "AUDIT_NLGRP_[A-Z0-9_]+", {"AUDIT_NLGRP_MAX"}),
    (["ConnectorIndex"], "CN_IDX_[A-Z0-9]+|CN_[A-Z0-9]+_IDX", set()),
    (["GenericID"], "GENL_ID_[A-Z0-9_]+", set()),
]

# The headers that the module was checked against in full: these and older ones hold nothing that is not here,
# these and newer ones hold all that is here, but for a few that are younger.
COMPLETE_UP_TO = (6, 12)
YOUNGER = {"RTNLGRP_IPV4_MCADDR", "RTNLGRP_IPV6_MCADDR", "RTNLGRP_IPV6_ACADDR"}
HAVE_YOUNGER = (6, 17)


# HeaderType


@pytest.mark.parametrize(
    ("number", "text", "representation"),
    [
        (1, "noop", "<HeaderType.NOOP: 1>"),
        (2, "error", "<HeaderType.ERROR: 2>"),
        (3, "done", "<HeaderType.DONE: 3>"),
        (4, "overrun", "<HeaderType.OVERRUN: 4>"),
        (0, "unknown(0)", "<HeaderType: 0>"),
        (16, "unknown(16)", "<HeaderType: 16>"),
        (0xFFFF, "unknown(65535)", "<HeaderType: 65535>"),
    ],
)
def test_header_type_text(number: int, text: str, representation: str) -> None:
    header_type = HeaderType(number)
    assert str(header_type) == text
    assert repr(header_type) == representation
    assert f"{header_type}" == text
    assert "{:}".format(header_type) == text  # noqa: UP032
    assert f"{header_type:#06x}" == f"{number:#06x}"
    assert f"{header_type:>7d}" == f"{number:>7d}"
    assert "%s %d" % (header_type, header_type) == f"{text} {number}"  # noqa: UP031


@pytest.mark.parametrize("number", [0, 3, 5, 16, 0x0100, 0xFFFF])
def test_header_type_is_an_int(number: int) -> None:
    header_type = HeaderType(number)
    assert isinstance(header_type, HeaderType)
    assert header_type == number
    assert hash(header_type) == hash(number)
    assert {number: "x"}[header_type] == "x"
    assert header_type.value == number
    assert type(header_type.value) is int
    assert header_type + 1 == number + 1
    assert HeaderType(header_type) is header_type


def test_header_type_name() -> None:
    assert HeaderType.DONE.name == "DONE"
    assert HeaderType(77).name is None


def test_header_type_takes_all_of_16_bits() -> None:
    members = [HeaderType(number) for number in range(0x10000)]
    assert members == list(range(0x10000))
    assert all(HeaderType(number) is member for number, member in enumerate(members))
    assert list(HeaderType) == [1, 2, 3, 4]
    assert len(HeaderType) == 4
    assert list(HeaderType.__members__) == ["NOOP", "ERROR", "DONE", "OVERRUN"]


@pytest.mark.parametrize("value", [-1, 0x10000, 1 << 70, "error", None, b"\x02", 16.5])
def test_header_type_refuses(value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid HeaderType"):
        HeaderType(value)  # type: ignore[arg-type]


def test_header_type_from_another_enum() -> None:
    assert type(HeaderType(HeaderFlags.DUMP)) is HeaderType
    assert type(HeaderType(HeaderFlags.DUMP).value) is int


def test_header_type_identity_is_stable() -> None:
    assert HeaderType(4242) is HeaderType(4242)
    assert HeaderType._value2member_map_[4242] is HeaderType(4242)


def test_header_type_identity_across_threads() -> None:
    class Racer(enum.IntEnum):
        """A class of its own, so that no number has been looked up before."""

        _missing_ = HeaderType.__dict__["_missing_"]
        ONE = 1

    numbers = range(100, 1100)
    barrier = threading.Barrier(8)
    results: list[list[Racer]] = []

    def look_up() -> None:
        barrier.wait()
        results.append([Racer(number) for number in numbers])

    threads = [threading.Thread(target=look_up) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(results) == 8
    for result in results:
        assert result == list(numbers)
        assert all(a is b for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("value", [HeaderType.ERROR, HeaderType(0), HeaderType(16), HeaderType(0xFFFF)])
def test_header_type_copies(value: HeaderType) -> None:
    assert copy.copy(value) is value
    assert copy.deepcopy([value])[0] is value
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) is value


# HeaderFlags


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "request"),
        (2, "multi"),
        (4, "acknowledge"),
        (8, "echo"),
        (16, "dumpinterrupted"),
        (32, "dumpfiltered"),
        (HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE, "request|acknowledge"),
        (HeaderFlags.REQUEST | HeaderFlags.DUMP, "request|0x300"),
        (0x3F, "request|multi|acknowledge|echo|dumpinterrupted|dumpfiltered"),
        (0x40, "0x40"),
        (0x400, "0x400"),
        (0xFFFF, "request|multi|acknowledge|echo|dumpinterrupted|dumpfiltered|0xffc0"),
    ],
)
def test_header_flags_text(value: int, text: str) -> None:
    flags = HeaderFlags(value)
    assert str(flags) == text
    assert f"{flags}" == text
    assert f"{flags:#06x}" == f"{int(value):#06x}"
    assert f"{flags:d}" == f"{int(value):d}"
    assert flags == value
    assert hash(flags) == hash(int(value))


def test_header_flags_values() -> None:
    assert HeaderFlags.DUMP == HeaderFlags.ROOT | HeaderFlags.MATCH == 0x300
    members = HeaderFlags.__members__
    for aliases in (
        ("ROOT", "REPLACE", "NONREC", "CAPPED"),
        ("MATCH", "EXCL", "BULK", "ACKNOWLEDGE_TLVS"),
        ("ATOMIC", "CREATE"),
    ):
        assert len({id(members[name]) for name in aliases}) == 1
    assert repr(HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE) == "<HeaderFlags.REQUEST|ACKNOWLEDGE: 5>"
    assert HeaderFlags.MULTI in HeaderFlags(0x8003)


def test_header_flags_keep_unknown_bits() -> None:
    flags = HeaderFlags(0x8041)
    assert isinstance(flags, HeaderFlags)
    assert flags == 0x8041
    assert flags | HeaderFlags.MULTI == 0x8043
    assert isinstance(flags | HeaderFlags.MULTI, HeaderFlags)


def test_header_flags_invert_16_bits() -> None:
    assert ~HeaderFlags(0) == 0xFFFF
    assert ~HeaderFlags.REQUEST == 0xFFFE
    assert HeaderFlags(0x8041) & ~HeaderFlags.REQUEST == 0x8040
    for value in (0, 1, 0x8041, 0xFFFF):
        assert isinstance(~HeaderFlags(value), HeaderFlags)
        assert ~~HeaderFlags(value) == value


@pytest.mark.parametrize("value", [0, 1, 5, 0x300, 0x301, 0x8000, 0x8041, 0xFFFF])
def test_header_flags_copies(value: int) -> None:
    flags = HeaderFlags(value)
    assert copy.copy(flags) is flags
    assert copy.deepcopy([flags])[0] is flags
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(flags, protocol))
        assert type(loaded) is HeaderFlags
        assert loaded == value


# The rest


def test_attribute_flags() -> None:
    assert (NESTED, NET_BYTE_ORDER) == (0x8000, 0x4000)
    assert (type(NESTED), type(NET_BYTE_ORDER)) == (int, int)


def test_families() -> None:
    assert Family.__members__["INET_DIAG"] is Family.SOCK_DIAG
    assert Family(12) is Family.NETFILTER
    with pytest.raises(ValueError, match="17 is not a valid Family"):
        Family(17)


def test_options() -> None:
    assert [option.name for option in ConnOption] == [
        "PACKET_INFO",
        "BROADCAST_ERROR",
        "NO_ENOBUFS",
        "LISTEN_ALL_NSID",
        "CAP_ACKNOWLEDGE",
        "EXTENDED_ACKNOWLEDGE",
        "GET_STRICT_CHECK",
    ]


@pytest.mark.parametrize("cls", ENUMS, ids=lambda cls: cls.__name__)
def test_members_pickle(cls: type[enum.IntEnum]) -> None:
    for member in cls.__members__.values():
        assert pickle.loads(pickle.dumps(member)) is member


def test_all_is_complete() -> None:
    public = {
        name
        for name, value in vars(consts).items()
        if not name.startswith("_")
        and isinstance(value, (int, enum.EnumMeta))
        and getattr(value, "__module__", consts.__name__) == consts.__name__
    }
    public -= {"TYPE_CHECKING", "KEEP"}
    assert public == set(consts.__all__)


# Against the installed headers


def test_every_number_names_its_source() -> None:
    for cls in ENUMS:
        assert set(UAPI[cls.__name__]) == set(cls.__members__), cls.__name__
    assert {*UAPI} - {""} == {cls.__name__ for cls in ENUMS}
    assert set(HEADERS) == set(UAPI)
    assert set(UAPI[""]) == {name for name in consts.__all__ if type(getattr(consts, name)) is int}


@pytest.mark.parametrize("scope", sorted(HEADERS))
def test_values_are_the_headers(scope: str) -> None:
    owner = getattr(consts, scope) if scope else consts
    ours = {uapi: int(getattr(owner, name)) for name, uapi in UAPI[scope].items()}
    known = c_names(HEADERS[scope], "|".join(ours))
    version = headers_version()
    if version >= COMPLETE_UP_TO:
        assert set(ours) - known <= (YOUNGER if version < HAVE_YOUNGER else set())
    assert {name: ours[name] for name in known} == c_values(HEADERS[scope], sorted(known))


@pytest.mark.parametrize(("scopes", "pattern", "left_out"), GROUPS, ids=["+".join(g[0]) or "-" for g in GROUPS])
def test_nothing_of_the_headers_is_missing(scopes: list[str], pattern: str, left_out: set[str]) -> None:
    ours = {uapi for scope in scopes for uapi in UAPI[scope].values()}
    # An enum's end marker starts with two underscores, which no pattern matches.
    theirs = c_names(sorted({header for scope in scopes for header in HEADERS[scope]}), pattern)
    assert theirs, f"{pattern} matches nothing"
    missing = theirs - ours - left_out
    if missing and (version := headers_version()) > COMPLETE_UP_TO:
        pytest.skip(f"headers of Linux {version[0]}.{version[1]} are newer than this package: {sorted(missing)}")
    assert not missing
    assert not ours & left_out
