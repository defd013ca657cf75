"""netlink.xfrm without a kernel: numbers and layouts, what constructors complete and refuse, keys, events."""

from __future__ import annotations

import contextlib
import pickle
import re
import socket
import struct as c
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from netlink import DecodeError, HeaderFlags, nltest, xfrm
from netlink.schema import AttributeSet, Struct
from netlink.xfrm import (
    INFINITE,
    Acquire,
    AeadAlgo,
    Algo,
    AuthAlgo,
    Command,
    Direction,
    Lifetime,
    Mark,
    Mode,
    Policy,
    PolicyID,
    ReplayEsn,
    SecurityContext,
    Selector,
    State,
    StateID,
    Template,
    UserSaInfo,
    family,
    records,
)
from probe import c_layout, c_names, c_structs, c_values

HEADERS = ["linux/xfrm.h"]
KEY = bytes(range(0x61, 0x75))
A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")


# Numbers and layouts


def declared() -> Iterator[tuple[str, int]]:
    """The names beside fields and members of enums, and their numbers."""
    scope: Any = None
    for line in Path(records.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(records, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = .*?  # ([A-Z][A-Z0-9_]+)(?:,|$)", line):
            if issubclass(scope, AttributeSet):
                yield match[2], scope.__fields__[match[1]].types[0][0][0]
            else:
                yield match[2], int(scope[match[1]])


def test_numbers_are_those_of_the_headers() -> None:
    wanted: dict[str, int] = {}
    for name, number in declared():
        assert wanted.setdefault(name, number) == number, name
    assert len(wanted) >= 118
    known = sorted(c_names(HEADERS, r"XFRM\w+") & wanted.keys())
    assert len(known) >= 110
    assert c_values(HEADERS, known) == {name: wanted[name] for name in known}


def test_no_message_or_attribute_is_left_out() -> None:
    wanted = {name for name, _ in declared()}
    there = c_names(HEADERS, r"XFRM_MSG_\w+|XFRMA_\w+")
    compatible = {"XFRMA_OUTPUT_MARK", "XFRMA_REPLAY_ESN_MAX", "XFRM_MSG_BASE", "XFRM_MSG_MAX", "XFRMA_PAD"}
    ends = {name for name in there if re.fullmatch(r"XFRMA_(\w+_)?(MAX|UNSPEC)", name)}
    assert there - wanted <= compatible | ends


def test_structs_are_those_of_the_headers() -> None:
    found = dict(re.findall(r'class (\w+)\(.*\):\n    """(?:.*?)(struct xfrm\w+)', Path(records.__file__).read_text()))
    found["Usage"] = "struct xfrm_lifetime_cur"
    structs = {name: kernel for name, kernel in found.items() if issubclass(getattr(records, name), Struct)}
    assert len(structs) >= 30
    there = {name: kernel for name, kernel in structs.items() if kernel in c_structs(HEADERS)}
    assert len(there) >= 30
    sizes = c_layout(HEADERS, {kernel: [] for kernel in there.values()})
    ours = {name: getattr(records, name).__table__.wire_size for name in there}
    assert ours == {name: sizes[kernel].size for name, kernel in there.items()}


def test_members_lie_where_the_headers_have_them() -> None:
    info = ["sel", "id.daddr", "id.spi", "id.proto", "saddr", "lft", "curlft", "stats", "seq", "reqid", "family",
            "mode", "replay_window", "flags"]  # fmt: skip
    template = ["id.daddr", "id.spi", "id.proto", "family", "saddr", "reqid", "mode", "share", "optional", "aalgos",
                "ealgos", "calgos"]  # fmt: skip
    selector = ["daddr", "saddr", "dport", "dport_mask", "sport", "sport_mask", "family", "prefixlen_d", "prefixlen_s",
                "proto", "ifindex", "user"]  # fmt: skip
    acquire = ["id.daddr", "id.spi", "id.proto", "saddr", "sel", "policy", "aalgos", "ealgos", "calgos", "seq"]
    wanted: dict[str, tuple[type[Struct], list[str]]] = {
        "struct xfrm_usersa_info": (UserSaInfo, info),
        "struct xfrm_user_tmpl": (Template, template),
        "struct xfrm_selector": (Selector, selector),
        "struct xfrm_user_acquire": (records.UserAcquire, acquire),
        "struct xfrm_userpolicy_info": (
            records.UserPolicyInfo,
            ["sel", "lft", "curlft", "priority", "index", "dir", "action", "flags", "share"],
        ),
        "struct xfrm_user_expire": (records.UserExpire, ["hard"]),
        "struct xfrm_user_polexpire": (records.UserPolExpire, ["hard"]),
        "struct xfrm_userspi_info": (records.UserSpiInfo, ["min", "max"]),
        "struct xfrm_aevent_id": (
            records.AeventID,
            ["sa_id.daddr", "sa_id.spi", "sa_id.family", "sa_id.proto", "saddr", "flags", "reqid"],
        ),
        "struct xfrm_encap_tmpl": (records.Encap, ["encap_type", "encap_sport", "encap_dport", "encap_oa"]),
    }
    layouts = c_layout(HEADERS, {name: members for name, (_, members) in wanted.items()})
    for name, (declaration, members) in wanted.items():
        fields = list(declaration.__fields__.values())
        named = {field.name: field for field in fields}
        for member in members:
            short = member.split(".")[-1].removeprefix("encap_")
            field = named.get(f"id_{short}") or named[short]
            place = layouts[name].fields[member]
            assert field.at == place.offset, (name, member)


# Constructors


def test_a_selector_takes_prefixes_and_ports() -> None:
    selector = Selector(saddr="10.0.0.0/24", daddr="10.1.2.3", proto=17, dport=53)
    assert (str(selector.saddr), selector.prefixlen_s) == ("10.0.0.0", 24)
    assert (str(selector.daddr), selector.prefixlen_d) == ("10.1.2.3", 32)
    assert (selector.dport, selector.dport_mask, selector.sport_mask) == (53, 0xFFFF, 0)
    assert selector.family == socket.AF_INET
    assert Selector(dport=0x100, dport_mask=0xFF00).dport_mask == 0xFF00
    assert Selector().family == socket.AF_INET
    assert Selector(daddr="2001:db8::/32").family == socket.AF_INET6
    assert Selector(saddr="10.0.0.0", prefixlen_s=8).prefixlen_s == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Selector(saddr="10.0.0.1/24"), "host bits"),
        (lambda: Selector(saddr="10.0.0.0/24", daddr="2001:db8::1"), "saddr 10.0.0.0/24 is of another address family"),
        (lambda: State(saddr="10.0.0.1", daddr="::1"), "another address family"),
        (lambda: State(saddr="10.0.0.1", family=socket.AF_INET6), "another address family"),
        (lambda: Template(saddr="10.0.0.1", daddr="::1"), "another address family"),
        (lambda: Algo.of("x" * 64, b""), "63 bytes, not 64"),
        (lambda: AeadAlgo.of("", b""), "63 bytes, not 0"),
        (lambda: ReplayEsn.of(5000), "4096 packets, not 5000"),
    ],
)
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_nothing_expires_unless_it_is_said() -> None:
    """A limit of 0 bytes or packets would be reached at once."""
    for record in (State(daddr=A), Policy(dir=Direction.IN)):
        decoded = type(record).decode(record.encode())
        assert decoded.lft == Lifetime(
            soft_byte_limit=INFINITE,
            hard_byte_limit=INFINITE,
            soft_packet_limit=INFINITE,
            hard_packet_limit=INFINITE,
            soft_add_expires_seconds=0,
            hard_add_expires_seconds=0,
            soft_use_expires_seconds=0,
            hard_use_expires_seconds=0,
        )
    given: Any = State(daddr=A, lft=Lifetime(hard_packet_limit=7)).lft
    assert (given.hard_packet_limit, given.soft_packet_limit) == (7, INFINITE)
    assert INFINITE == (1 << 64) - 1


def test_a_state_as_bytes() -> None:
    state = State(
        saddr=A, daddr=B, proto=50, spi=0x100, mode=Mode.TUNNEL, reqid=3, alg_aead=AeadAlgo.of("rfc4106(gcm(aes))", KEY)
    )
    data = state.encode()
    assert c.unpack_from(">4s12xIB3x4s", data, 56) == (B.packed, 0x100, 50, A.packed)
    assert c.unpack_from("=IHB", data, 208) == (3, socket.AF_INET, 1)
    algorithm = data[224:]
    assert c.unpack_from("=HH64sII", algorithm) == (4 + 72 + 20, 18, b"rfc4106(gcm(aes))".ljust(64, b"\0"), 160, 128)
    assert algorithm[76:] == KEY
    assert State.decode(data).alg_aead == state.alg_aead
    assert state.id == StateID(daddr=B, proto=50, spi=0x100)


def test_a_policy_as_bytes() -> None:
    template = Template(saddr=A, daddr=B, proto=50, reqid=1)
    policy = Policy(sel=Selector(daddr="10.0.0.0/8"), dir=Direction.OUT, if_id=4, tmpl=[template, template])
    data = policy.encode()
    assert c.unpack_from("=HH", data, 168) == (4 + 2 * 64, 5)
    assert Policy.decode(data).tmpl == (template, template)
    assert c.unpack_from("=III", data, 172 + 52) == (0xFFFFFFFF,) * 3
    assert policy.id == PolicyID(sel=policy.sel, dir=Direction.OUT, if_id=4)


def test_a_window_and_a_context() -> None:
    window = ReplayEsn.of(33)
    assert (window.bmp_len, window.bitmap) == (2, bytes(8))
    assert len(window.encode()) == 24 + 8
    context = SecurityContext.of("a:b:c")
    assert context.encode() == c.pack("=HHBBH", 14, 8, 1, 1, 6) + b"a:b:c\0"
    assert SecurityContext.decode(context.encode()).context == b"a:b:c\0"


# Keys


ALGORITHMS: dict[str, Any] = {
    "alg_auth": Algo.of("hmac(sha1)", KEY),
    "alg_crypt": Algo.of("cbc(aes)", KEY),
    "alg_aead": AeadAlgo.of("gcm", KEY),
    "alg_auth_trunc": AuthAlgo.of("hmac(sha256)", KEY, 128),
}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_keys_are_not_shown(name: str, address: str) -> None:
    state = State(daddr=address, **{name: ALGORITHMS[name]})
    batch = State.decode_many([state.encode()])
    found = getattr(batch[0], name)
    assert (found.key, found.alg_key_len, found.name) == (KEY, 160, ALGORITHMS[name].name)
    for text in (repr(state), repr(batch[0]), str(batch[0]), repr(batch), f"{found}", batch._repr_html_()):
        assert KEY.decode() not in text
        assert KEY.hex() not in text
    assert found.name in repr(state)
    assert pickle.loads(pickle.dumps(state)) == state


def test_a_name_of_any_bytes() -> None:
    data = c.pack("=64sI", b"\xff" * 64, 8) + b"k"
    assert Algo.decode(data).name == "\udcff" * 64
    with pytest.raises(DecodeError):
        Algo.decode(data[:20])


# Events


def test_an_acquire_has_the_addresses_of_its_template() -> None:
    def of(template: list[Template], selector: Selector) -> Acquire:
        data = A.packed + bytes(12) + c.pack(">IB3x", 0, 50) + B.packed + bytes(12)
        data += selector.encode() + Policy(sel=selector).encode()[:168] + bytes(16)
        plain = Acquire(tmpl=template).encode()
        return Acquire.decode(data + plain[280:])

    inner = Selector(daddr="2001:db8::1")
    assert (of([Template(saddr=B, daddr=A)], inner).daddr, of([Template(saddr=B, daddr=A)], inner).saddr) == (A, B)
    assert of([], Selector(daddr="10.0.0.1")).daddr == A
    assert of([], inner).daddr == ip_address(A.packed + bytes(12))
    assert Acquire().daddr is None


def test_all_messages_of_the_kernel_are_read() -> None:
    """Those of its groups; the rest are requests."""
    heard = {kind.type for listen in (family.Conn.events, family.Conn.acquires) for kind in listen.kinds}
    asked = {Command.GETSA, Command.GETPOLICY, Command.ALLOCSPI, Command.GETAE, Command.SETDEFAULT}
    asked |= {Command.NEWSADINFO, Command.GETSADINFO, Command.NEWSPDINFO, Command.GETSPDINFO}
    assert heard | asked == set(Command)


# Requests


def test_requests() -> None:
    seen: list[Any] = []
    with nltest.serve(xfrm.Conn, {"create_state": seen.append, "delete_policy": seen.append}) as ipsec:
        ipsec.create_state(daddr=B, spi=1, proto=50)
        ipsec.delete_policy(dir=Direction.OUT, index=9)
        calls = ipsec.calls
        dump = calls.states(proto=50)
        assert dump.message.data == c.pack("=HHB3x", 5, 25, 50)  # without a header
        assert dump.message.header.flags == HeaderFlags.REQUEST | HeaderFlags.DUMP
        assert calls.flush_states().message.data[:1] == b"\0"
        assert calls.set_counters(daddr=B).message.header.flags & HeaderFlags.REPLACE
    assert [type(record) for record in seen] == [State, PolicyID]
    assert (seen[0].daddr, seen[0].family) == (B, socket.AF_INET)


def test_records_of_any_bytes_decode_or_fail() -> None:
    for declaration in vars(records).values():
        if not (isinstance(declaration, type) and issubclass(declaration, AttributeSet)):
            continue
        if declaration is AttributeSet:
            continue
        plain = declaration().encode()
        for size in (0, 3, len(plain), len(plain) + 4):
            data = (plain + b"\xff" * 4)[:size]
            with contextlib.suppress(DecodeError):
                repr(declaration.decode(data))


def test_marks() -> None:
    assert StateID(daddr=A, mark=Mark(v=1, m=2)).encode()[24:] == c.pack("=HHII", 12, 21, 1, 2)
