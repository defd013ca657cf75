"""netlink.debug: NLDEBUG's grammar, and its table against libmnl's own mnl_nlmsg_fprintf."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlink import Header, Message
from netlink.debug import Debugger

ROUTE, SOCK_DIAG, XFRM, AUDIT, CONNECTOR, NETFILTER, GENERIC, CRYPTO = 0, 4, 6, 9, 11, 12, 16, 21
USERSOCK = 2  # no extra header
NESTED, NET_BYTE_ORDER = 0x8000, 0x4000
ERROR, DONE = 2, 3
REQUEST, MULTI, DUMP, CAPPED, ACK_TLVS = 0x1, 0x2, 0x300, 0x100, 0x200

RULE = "----------------\t------------------"
HEADER_LINES = 6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Writes:
    """A stream that keeps its writes apart."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def write(self, text: str, /) -> None:
        self.calls.append(text)


def message(mtype: int, data: bytes, flags: int = 0, sequence: int = 7, pid: int = 9) -> Message:
    return Message(Header(length=16 + len(data), type=mtype, flags=flags, sequence=sequence, pid=pid), data)


def attribute(atype: int, data: bytes, length: int | None = None) -> bytes:
    raw = struct.pack("=HH", 4 + len(data) if length is None else length, atype) + data
    return raw + bytes(-len(raw) % 4)


def wire(m: Message) -> bytes:
    h = m.header
    return struct.pack("=IHHII", h.length, h.type, h.flags, h.sequence, h.pid) + m.data + bytes(-len(m.data) % 4)


def table(family: int, *messages: Message, stream: io.StringIO | None = None) -> str:
    """The table without its prefixes, which are checked."""
    stream = io.StringIO() if stream is None else stream
    Debugger(family, stream=stream).received(messages)
    text = stream.getvalue()
    lines = text.splitlines(keepends=True)
    assert all(line.startswith("nl: ") and line.endswith("\n") for line in lines)
    return "".join(line[4:] for line in lines)


def body(family: int, m: Message) -> list[str]:
    """The table's rows between the header block and the closing rule."""
    lines = table(family, m).splitlines()
    assert lines[0] == lines[HEADER_LINES - 1] == lines[-1] == RULE
    return lines[HEADER_LINES:-1]


def row(data: str, label: str, text: str = "") -> str:
    return f"| {data}  |\t|{label:^16}|{text}"


# The environment


@pytest.mark.parametrize("environ", [{}, {"NLDEBUG": ""}, {"NLDEBUG": "level=0"}, {"NLDEBUG": "format=mnl,level=00"}])
def test_off(environ: dict[str, str]) -> None:
    assert Debugger.from_environment(ROUTE, environ) is None


@pytest.mark.parametrize(
    ("value", "level", "fmt"),
    [
        ("1", 1, "mnl"),
        ("level=1", 1, "mnl"),
        ("level=3", 3, "mnl"),
        ("level=" + "9" * 5000, 999_999_999, "mnl"),
        ("format=text", 1, "text"),
        ("format=mnl", 1, "mnl"),
        ("level=1,format=mnl", 1, "mnl"),
        ("format=text,level=2", 2, "text"),
        ("format=text,format=mnl", 1, "mnl"),
    ],
)
def test_on(value: str, level: int, fmt: str) -> None:
    d = Debugger.from_environment(NETFILTER, {"NLDEBUG": value})
    assert d is not None
    assert (d.family, d.level, d.format) == (NETFILTER, level, fmt)


@pytest.mark.parametrize(
    ("value", "item"),
    [
        ("0", "0"),
        ("2", "2"),
        ("yes", "yes"),
        (",", ""),
        ("level=1,", ""),
        ("1,format=mnl", "1"),
        ("level", "level"),
        ("level=", "level="),
        ("level=-1", "level=-1"),
        ("level=+1", "level=+1"),
        ("level=1_0", "level=1_0"),
        ("level=\N{ARABIC-INDIC DIGIT ONE}", "level=\N{ARABIC-INDIC DIGIT ONE}"),
        ("level=0,format=xml", "format=xml"),
        ("format=MNL", "format=MNL"),
        ("level=1, format=mnl", " format=mnl"),
        ("colour=1", "colour=1"),
    ],
)
def test_bad_value_is_named(value: str, item: str) -> None:
    with pytest.raises(ValueError, match=r"^NLDEBUG: bad item ") as e:
        Debugger.from_environment(ROUTE, {"NLDEBUG": value})
    assert repr(item) in str(e.value)
    for allowed in ("level=N", "format=mnl|text", "1 alone"):
        assert allowed in str(e.value)


def test_default_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NLDEBUG", raising=False)
    assert Debugger.from_environment(ROUTE) is None
    monkeypatch.setenv("NLDEBUG", "1")
    assert Debugger.from_environment(ROUTE) is not None


# The stream


def test_text_format() -> None:
    stream = io.StringIO()
    d = Debugger(ROUTE, fmt="text", stream=stream)
    a, b = message(16, b"\x00\n"), message(DONE, b"")
    d.sent([a])
    d.received([b, a])
    assert stream.getvalue() == f"nl: send: {a!r}\nnl: recv: {b!r}\nnl: recv: {a!r}\n"


@pytest.mark.parametrize("fmt", ["mnl", "text"])
def test_one_write_per_message(fmt: str) -> None:
    stream = Writes()
    d = Debugger.from_environment(ROUTE, {"NLDEBUG": f"format={fmt}"}, stream)
    assert d is not None
    d.sent([])
    assert stream.calls == []
    d.sent([message(16, b"abcd"), message(18, bytes(16))])
    assert len(stream.calls) == 2
    assert all(call.endswith("\n") for call in stream.calls)


def test_level_0_prints_nothing() -> None:
    stream = io.StringIO()
    Debugger(ROUTE, level=0, stream=stream).sent([message(16, b"")])
    assert stream.getvalue() == ""


def test_standard_error_is_looked_up_at_each_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    d = Debugger(ROUTE, fmt="text")
    d.sent([message(16, b"")])
    assert capsys.readouterr().err.startswith("nl: send: ")
    other = io.StringIO()
    monkeypatch.setattr(sys, "stderr", other)
    d.received([message(16, b"")])
    assert other.getvalue().startswith("nl: recv: ")
    monkeypatch.setattr(sys, "stderr", None)
    d.received([message(16, b"")])


@pytest.mark.parametrize("fmt", ["mnl", "text"])
def test_an_unusable_stream_breaks_nothing(fmt: str) -> None:
    class Broken:
        def write(self, text: str, /) -> None:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    for stream in (Broken(), closed):
        d = Debugger.from_environment(ROUTE, {"NLDEBUG": f"format={fmt}"}, stream)
        assert d is not None
        d.sent([message(16, bytes(32))])


def test_colour_on_a_terminal_only() -> None:
    m = message(16, attribute(NESTED | 1, attribute(NET_BYTE_ORDER | 2, b"ab")))
    plain = table(USERSOCK, m)
    colour = table(USERSOCK, m, stream=Terminal())
    assert "\x1b" not in plain
    assert "|00012|N-|00001|\t|len |flags| type|\n|00006|-B|00002|\t|len |flags| type|\n" in plain
    assert "|\x1b[1;31m00006\x1b[0m|\x1b[1;32m-B\x1b[0m|\x1b[1;34m00002\x1b[0m|\t|len |flags| type|\n" in colour
    assert without_colour(colour) == plain


def without_colour(text: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", text)


# Extra headers


def test_table() -> None:
    data = b"\x02\x00\x00\x2a" + attribute(NESTED | 1, attribute(2, b"abc")) + attribute(3, b"\x00\x7f ~\xff")
    assert table(NETFILTER, message(0x100, data, flags=0xD)).splitlines() == [
        RULE,
        "|  0000000044  |\t| message length |",
        "| 00256 | R-AE |\t|  type | flags  |",
        "|  0000000007  |\t| sequence number|",
        "|  0000000009  |\t|     port ID    |",
        RULE,
        "| 02 00 00 2a  |\t|  extra header  |",
        "|00012|N-|00001|\t|len |flags| type|",
        "|00007|--|00002|\t|len |flags| type|",
        "| 61 62 63 00  |\t|      data      |\t a b c  ",
        "|00009|--|00003|\t|len |flags| type|",
        "| 00 7f 20 7e  |\t|      data      |\t       ~",
        "| ff 00 00 00  |\t|      data      |\t        ",
        RULE,
    ]


def extra_header(family: int, m: Message) -> int:
    """The size of the extra header that the table shows."""
    rows = body(family, m)
    size = sum("|  extra header  |" in line for line in rows)
    assert all("|  extra header  |" in line for line in rows[:size])
    return 4 * size


@pytest.mark.parametrize(
    ("family", "mtype", "flags", "data", "size"),
    [
        (NETFILTER, 0x100, 0, bytes(32), 4),
        (GENERIC, 16, 0, bytes(32), 4),
        (CONNECTOR, 1000, 0, bytes(32), 20),
        (AUDIT, 1100, 0, bytes(32), 0),
        (USERSOCK, 100, 0, bytes(32), 0),
        (ROUTE, 16, 0, bytes(32), 16),
        (ROUTE, 60000, 0, bytes(32), 4),
        # Requests with a bare rtgenmsg, 1 byte long or padded, and with an attribute after it.
        (ROUTE, 18, REQUEST | DUMP, b"\x11", 4),
        (ROUTE, 18, REQUEST | DUMP, b"\x11\0\0\0", 4),
        (ROUTE, 18, REQUEST | DUMP, b"\x11\0\0\0" + attribute(29, b"\1\0\0\0"), 4),
        (ROUTE, 18, REQUEST | DUMP, b"", 0),
        (SOCK_DIAG, 18, REQUEST, bytes(80), 60),
        (SOCK_DIAG, 18, 0, bytes(80), 72),
        (SOCK_DIAG, 20, 0, b"\xff" + bytes(80), 0),
        (SOCK_DIAG, 20, 0, b"", 0),
        (SOCK_DIAG, 20, REQUEST, b"\2\6", 4),
        (SOCK_DIAG, 99, 0, bytes(80), 0),
        (XFRM, 0x12, REQUEST | DUMP, attribute(1, b""), 0),
        (XFRM, 0x12, REQUEST, bytes(32), 24),
        (XFRM, 0x1D, REQUEST, bytes(32), 0),
        (XFRM, 999, 0, bytes(32), 0),
        (CRYPTO, 0x14, 0, bytes(212), 0),
    ],
)
def test_extra_header_size(family: int, mtype: int, flags: int, data: bytes, size: int) -> None:
    assert extra_header(family, message(mtype, data, flags)) == size


def test_short_route_request_shows_its_attribute() -> None:
    m = message(18, b"\x11\0\0\0" + attribute(29, b"\1\0\0\0"), REQUEST | DUMP)
    assert body(ROUTE, m) == [
        row("11 00 00 00", "extra header"),
        "|00008|--|00029|\t|len |flags| type|",
        row("01 00 00 00", "data", "\t        "),
    ]


def test_families_without_attributes() -> None:
    looks_like_one = attribute(1, b"abcd")
    assert body(AUDIT, message(1100, looks_like_one)) == [
        row(looks_like_one[:4].hex(" "), "data", "\t        "),
        row("61 62 63 64", "data", "\t a b c d"),
    ]


# Control messages


def echo(data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("=IHHII", 16 + len(data) if length is None else length, 16, 5, 7, 0) + data


ERRNO_ROWS = [
    row(struct.pack("=i", -2).hex(" "), "extra header"),
    *(row(struct.pack("=I", word).hex(" "), "extra header") for word in struct.unpack("=4I", echo(b"abcd")[:16])),
]
TLV = attribute(1, b"no\0")
TLV_ROWS = ["|00007|--|00001|\t|len |flags| type|", row("6e 6f 00 00", "data", "\t n o    ")]


@pytest.mark.parametrize("family", [ROUTE, NETFILTER, AUDIT])
@pytest.mark.parametrize(
    ("flags", "tail", "rows"),
    [
        (0, b"abcd", []),
        (CAPPED, b"", []),
        (ACK_TLVS, b"abcd" + TLV, TLV_ROWS),
        (ACK_TLVS | CAPPED, TLV, TLV_ROWS),
        (ACK_TLVS | CAPPED, TLV + b"xyz", [*TLV_ROWS, row("78 79 7a 00", "data", "\t x y z  ")]),
        (CAPPED, b"abcd", [row("61 62 63 64", "data", "\t a b c d")]),
        (0, b"abcd" + b"wxyz", [row("77 78 79 7a", "data", "\t w x y z")]),
        # The echoed request is cut short.
        (ACK_TLVS, b"", []),
        (ACK_TLVS, b"ab", []),
    ],
)
def test_error(family: int, flags: int, tail: bytes, rows: list[str]) -> None:
    data = struct.pack("=i", -2) + echo(b"abcd")[:16] + tail
    assert body(family, message(ERROR, data, flags)) == ERRNO_ROWS + rows


def test_error_with_a_wrong_echoed_length() -> None:
    data_row = [row("61 62 63 64", "data", "\t a b c d")]
    for length, rows in ((0xFFFFFFFF, data_row), (41, data_row), (0, data_row), (20, [])):
        data = bytes(4) + echo(length=length) + b"abcd"
        assert body(ROUTE, message(ERROR, data))[5:] == rows, length


def test_error_with_an_unaligned_echo() -> None:
    data = struct.pack("=i", -2) + echo(b"abcde") + bytes(3) + TLV
    assert body(ROUTE, message(ERROR, data, ACK_TLVS))[5:] == TLV_ROWS


def test_short_control_messages() -> None:
    assert body(ROUTE, message(ERROR, b"\1\2\3")) == [row("01 02 03 00", "data", "\t        ")]
    assert body(ROUTE, message(ERROR, b"\1\2\3\4ab")) == [
        row("01 02 03 04", "extra header"),
        row("61 62 00 00", "data", "\t a b    "),
    ]
    assert body(ROUTE, message(DONE, b"", MULTI)) == []


def test_done() -> None:
    errno = struct.pack("=i", -2)
    first = row(errno.hex(" "), "extra header")
    assert body(NETFILTER, message(DONE, errno, MULTI)) == [first]
    assert body(NETFILTER, message(DONE, errno + TLV, MULTI | ACK_TLVS)) == [first, *TLV_ROWS]
    assert body(NETFILTER, message(DONE, errno + b"abcd", MULTI)) == [
        first,
        row("61 62 63 64", "data", "\t a b c d"),
    ]


# Malformed messages


@pytest.mark.parametrize("length", [0, 1, 3, 13, 0xFFFF])
def test_an_attribute_that_does_not_parse_is_data(length: int) -> None:
    bad = attribute(5, b"abcd", length)
    assert body(USERSOCK, message(16, attribute(1, b"x") + bad + b"wxyz"))[2:] == [
        row(bad[:4].hex(" "), "data", "\t        "),
        row("61 62 63 64", "data", "\t a b c d"),
        row("77 78 79 7a", "data", "\t w x y z"),
    ]


def test_a_bad_nested_attribute_leaves_what_follows_it_alone() -> None:
    good = attribute(3, b"ok")
    for inner in (b"Zabcd", attribute(4, b"abcd", 99), b"ab"):
        rows = body(USERSOCK, message(16, attribute(NESTED | 2, inner) + good))
        assert rows[0] == f"|{4 + len(inner):05}|N-|00002|\t|len |flags| type|"
        assert all("data" in line for line in rows[1:-2])
        assert rows[-2:] == ["|00006|--|00003|\t|len |flags| type|", row("6f 6b 00 00", "data", "\t o k    ")]


def test_attributes_of_type_0() -> None:
    assert body(USERSOCK, message(16, attribute(0, b"abcd") + attribute(NESTED, attribute(1, b"")))) == [
        "|00008|--|00000|\t|len |flags| type|",
        row("61 62 63 64", "data", "\t a b c d"),
        "|00008|N-|00000|\t|len |flags| type|",
        "|00004|--|00001|\t|len |flags| type|",
    ]


def test_deep_nesting() -> None:
    data = b"".join(struct.pack("=HH", 65532 - 4 * i, NESTED | 1) for i in range(16383))
    assert len(body(USERSOCK, message(16, data))) == 16383


u32 = st.integers(0, 0xFFFFFFFF)
u16 = st.integers(0, 0xFFFF)
# Mostly plausible: random lengths seldom make an attribute.
fragments = st.one_of(
    st.binary(max_size=40),
    st.builds(
        attribute,
        st.integers(0, 20) | u16,
        st.binary(max_size=20) | st.builds(attribute, u16, st.binary(max_size=9), st.integers(0, 12)),
        st.none() | st.integers(0, 40),
    ),
)


@settings(max_examples=300)
@given(
    family=st.integers(0, 32) | u16,
    mtype=st.integers(0, 130) | u16,
    flags=st.sampled_from([0, REQUEST, ACK_TLVS, CAPPED, DUMP]) | u16,
    length=u32,
    fields=st.tuples(u32, u32),
    data=st.lists(fragments, max_size=6).map(b"".join),
    stream=st.sampled_from([io.StringIO, Terminal]),
)
def test_hostile_messages(
    family: int,
    mtype: int,
    flags: int,
    length: int,
    fields: tuple[int, int],
    data: bytes,
    stream: type[io.StringIO],
) -> None:
    m = Message(Header(length=length, type=mtype, flags=flags, sequence=fields[0], pid=fields[1]), data)
    lines = table(family, m, stream=stream()).splitlines()
    assert lines[0] == lines[5] == lines[-1] == RULE
    rows = lines[HEADER_LINES:-1]
    # Nothing is dropped or printed twice, the payload of an echoed request apart.
    words = (len(data) + 3) // 4
    assert len(rows) <= words if mtype == ERROR else len(rows) == words


# libmnl, the oracle

ORACLE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <libmnl/libmnl.h>

int main(int argc, char **argv)
{
    static char buf[1 << 20] __attribute__((aligned(8)));
    size_t n = fread(buf, 1, sizeof(buf), stdin);

    if (argc != 2)
        return 2;
    mnl_nlmsg_fprintf(stdout, buf, n, (size_t)atoi(argv[1]));
    return 0;
}
"""


@pytest.fixture(scope="module")
def cc() -> str:
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return path
    pytest.skip("no C compiler (cc, gcc or clang)")


def build(cc: str, source: str, out: Path, *libraries: str) -> Path:
    subprocess.run([cc, "-x", "c", "-", "-o", out, *libraries], input=source.encode(), check=True)
    return out


@pytest.fixture(scope="module")
def mnl(cc: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mnl")
    probe = "#include <libmnl/libmnl.h>\nint main(void) { return mnl_nlmsg_size(0) != 16; }\n"
    try:
        subprocess.run([build(cc, probe, directory / "probe", "-lmnl")], check=True)
    except subprocess.CalledProcessError:
        pytest.skip("no libmnl to compile against (libmnl-dev)")
    return build(cc, ORACLE, directory / "oracle", "-lmnl")


def libmnl(mnl: Path, extra_header_size: int, *messages: Message) -> str:
    return subprocess.run(
        [mnl, str(extra_header_size)], input=b"".join(map(wire, messages)), stdout=subprocess.PIPE, check=True
    ).stdout.decode("ascii")


ATTRIBUTES = [
    b"",
    attribute(1, b""),
    attribute(1, b"a"),
    attribute(1, b"abcd") + attribute(2, b"\x00\x1f ~\x7f\x80\xff"),
    attribute(NET_BYTE_ORDER | 3, b"\x01\x02"),
    attribute(NESTED | 1, b""),
    attribute(NESTED | 1, attribute(NESTED | 2, attribute(3, b"abcde")) + attribute(4, b"")) + attribute(5, b"z"),
    attribute(NESTED | NET_BYTE_ORDER | 0x3FFF, attribute(1, b"")),
    attribute(6, bytes(range(256))),
    # Unaligned ends: of nested attributes, of the message, and of both.
    attribute(NESTED | 1, attribute(NESTED | 2, attribute(3, b"abcde")[:9])[:13]) + attribute(4, b"xyz"),
    attribute(1, b"abcde")[:9],
    attribute(NESTED | 1, attribute(NESTED | 2, attribute(3, b"abcde")[:9])[:13])[:17],
]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("family", "mtype", "size"),
    [
        (NETFILTER, 0x100, 4),
        (GENERIC, 0x1F, 4),
        (USERSOCK, 16, 0),
        (ROUTE, 16, 16),
        (ROUTE, 36, 20),
        (ROUTE, 20, 8),
    ],
)
def test_like_libmnl(mnl: Path, family: int, mtype: int, size: int, terminal: bool) -> None:
    header = bytes(range(0x38, 0x38 + size))
    for flags, data in enumerate(ATTRIBUTES):
        m = message(mtype, header + data, flags, 0xFFFFFFFF - flags, 4294967295)
        ours = table(family, m, stream=Terminal() if terminal else None)
        theirs = libmnl(mnl, size, m)  # always in colour, terminal or not, as of libmnl 1.0.5
        assert without_colour(ours) == without_colour(theirs)
        if terminal and "\x1b" in theirs:
            assert ours == theirs


def test_several_messages_like_libmnl(mnl: Path) -> None:
    # libmnl finds the next message where the last one is aligned to.
    messages = [message(16 + i, data) for i, data in enumerate(ATTRIBUTES)]
    assert table(USERSOCK, *messages) == without_colour(libmnl(mnl, 0, *messages))


def test_control_messages_like_libmnl(mnl: Path) -> None:
    for mtype in (1, 4, 5, 15):
        m = message(mtype, b"abcdefghi")
        assert table(ROUTE, m) == libmnl(mnl, 16, m)
    # libmnl leaves the label of these empty.
    for m in (
        message(ERROR, bytes(4) + echo(), CAPPED),
        message(DONE, bytes(4), MULTI),
        message(DONE, b"", MULTI),
    ):
        assert table(ROUTE, m).replace("extra header", " " * 12) == libmnl(mnl, 16, m)


def leaves(children: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(lambda t, parts: attribute(NESTED | t, b"".join(parts)), types, st.lists(children, max_size=4))


# Type 0 is left out: libmnl prints nothing for it and takes its data for attributes.
types = st.integers(1, 0x3FFF) | st.integers(NET_BYTE_ORDER | 1, NET_BYTE_ORDER | 9)
trees = st.lists(
    st.recursive(st.builds(attribute, types, st.binary(max_size=30)), leaves, max_leaves=8), max_size=5
).map(b"".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.builds(message, st.integers(16, 0xFFFF), trees, u16, u32, u32), min_size=1, max_size=10))
def test_any_well_formed_messages_like_libmnl(mnl: Path, messages: list[Message]) -> None:
    assert table(USERSOCK, *messages) == without_colour(libmnl(mnl, 0, *messages))


# The sizes of extra headers, from the kernel's headers

SIZES = {
    ROUTE: (
        [
            *("rtnetlink.h", "if_link.h", "if_addr.h", "if_addrlabel.h", "fib_rules.h", "neighbour.h"),
            *("if_bridge.h", "nexthop.h", "netconf.h", "dcbnl.h"),
        ],
        """
        RTM_NEWLINK ifinfomsg  RTM_SETLINK ifinfomsg  RTM_NEWADDR ifaddrmsg  RTM_GETADDR ifaddrmsg
        RTM_NEWROUTE rtmsg  RTM_GETROUTE rtmsg  RTM_NEWNEIGH ndmsg  RTM_GETNEIGH ndmsg
        RTM_NEWRULE fib_rule_hdr  RTM_GETRULE fib_rule_hdr  RTM_NEWQDISC tcmsg  RTM_GETQDISC tcmsg
        RTM_NEWTCLASS tcmsg  RTM_NEWTFILTER tcmsg  RTM_NEWACTION tcamsg  RTM_GETACTION tcamsg
        RTM_NEWPREFIX prefixmsg  RTM_GETMULTICAST ifaddrmsg  RTM_GETANYCAST ifaddrmsg
        RTM_NEWNEIGHTBL ndtmsg  RTM_SETNEIGHTBL ndtmsg  RTM_NEWNDUSEROPT nduseroptmsg
        RTM_NEWADDRLABEL ifaddrlblmsg  RTM_GETDCB dcbmsg  RTM_SETDCB dcbmsg  RTM_NEWNETCONF netconfmsg
        RTM_NEWMDB br_port_msg  RTM_GETMDB br_port_msg  RTM_NEWNSID rtgenmsg  RTM_NEWSTATS if_stats_msg
        RTM_SETSTATS if_stats_msg  RTM_NEWCACHEREPORT rtgenmsg  RTM_NEWCHAIN tcmsg  RTM_NEWNEXTHOP nhmsg
        RTM_NEWLINKPROP ifinfomsg  RTM_NEWVLAN br_vlan_msg  RTM_NEWNEXTHOPBUCKET nhmsg
        RTM_NEWTUNNEL tunnel_msg  RTM_GETTUNNEL tunnel_msg
        """,
    ),
    XFRM: (
        ["xfrm.h"],
        """
        XFRM_MSG_NEWSA xfrm_usersa_info  XFRM_MSG_DELSA xfrm_usersa_id  XFRM_MSG_GETSA xfrm_usersa_id
        XFRM_MSG_NEWPOLICY xfrm_userpolicy_info  XFRM_MSG_DELPOLICY xfrm_userpolicy_id
        XFRM_MSG_GETPOLICY xfrm_userpolicy_id  XFRM_MSG_ALLOCSPI xfrm_userspi_info
        XFRM_MSG_ACQUIRE xfrm_user_acquire  XFRM_MSG_EXPIRE xfrm_user_expire
        XFRM_MSG_UPDPOLICY xfrm_userpolicy_info  XFRM_MSG_UPDSA xfrm_usersa_info
        XFRM_MSG_POLEXPIRE xfrm_user_polexpire  XFRM_MSG_FLUSHSA xfrm_usersa_flush
        XFRM_MSG_NEWAE xfrm_aevent_id  XFRM_MSG_GETAE xfrm_aevent_id  XFRM_MSG_REPORT xfrm_user_report
        XFRM_MSG_MIGRATE xfrm_userpolicy_id  XFRM_MSG_MAPPING xfrm_user_mapping
        XFRM_MSG_SETDEFAULT xfrm_userpolicy_default  XFRM_MSG_GETDEFAULT xfrm_userpolicy_default
        """,
    ),
    CRYPTO: (["cryptouser.h"], "CRYPTO_MSG_NEWALG crypto_user_alg  CRYPTO_MSG_GETALG crypto_user_alg"),
}

SOCK_DIAG_SIZES = """
    AF_UNIX unix_diag_req unix_diag_msg  AF_INET inet_diag_req_v2 inet_diag_msg
    AF_INET6 inet_diag_req_v2 inet_diag_msg  AF_NETLINK netlink_diag_req netlink_diag_msg
    AF_PACKET packet_diag_req packet_diag_msg  AF_VSOCK vsock_diag_req vsock_diag_msg
    AF_SMC smc_diag_req smc_diag_msg  AF_XDP xdp_diag_req xdp_diag_msg
"""
SOCK_DIAG_INCLUDES = [
    *("inet_diag.h", "unix_diag.h", "netlink_diag.h", "packet_diag.h", "vm_sockets_diag.h", "smc_diag.h"),
    "xdp_diag.h",
]


def probe(cc: str, directory: Path, includes: list[str], expressions: list[str]) -> list[int]:
    """The values of C expressions under the installed kernel headers."""
    source = "#include <stdio.h>\n#include <sys/socket.h>\n#include <linux/types.h>\n"
    source += "".join(f"#include <linux/{name}>\n" for name in includes)
    source += "int main(void) {\n" + "".join(f'printf("%d\\n", (int)({e}));\n' for e in expressions) + "}\n"
    out = subprocess.run([build(cc, source, directory / "probe")], stdout=subprocess.PIPE, check=True).stdout
    return [int(line) for line in out.split()]


@pytest.mark.parametrize("family", SIZES)
def test_sizes_of_the_kernel_headers(cc: str, tmp_path: Path, family: int) -> None:
    includes, pairs = SIZES[family]
    words = pairs.split()
    expressions = [f"sizeof(struct {w})" if i % 2 else w for i, w in enumerate(words)]
    values = probe(cc, tmp_path, includes, expressions)
    for name, mtype, size in zip(words[::2], values[::2], values[1::2], strict=True):
        assert extra_header(family, message(mtype, bytes(300))) == (size + 3) & ~3, name


def test_sizes_of_the_kernel_sock_diag_headers(cc: str, tmp_path: Path) -> None:
    words = SOCK_DIAG_SIZES.split()
    expressions = [w if i % 3 == 0 else f"sizeof(struct {w})" for i, w in enumerate(words)]
    values = probe(cc, tmp_path, SOCK_DIAG_INCLUDES, expressions)
    for name, family, request, reply in zip(words[::3], values[::3], values[1::3], values[2::3], strict=True):
        data = bytes([family]) + bytes(100)
        assert extra_header(SOCK_DIAG, message(20, data, REQUEST)) == request, name
        assert extra_header(SOCK_DIAG, message(20, data)) == reply, name
