"""IPsec of the real kernel beside `ip xfrm`: policies everywhere, states and a tunnel where the kernel has ESP."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import netns as netns_
from kernel.tools import unprivileged
from netlink import Conn, OpError, route, xfrm
from netlink.route import Address, Link, Route
from netlink.route.link import Veth
from netlink.stream import Stream
from netlink.xfrm import (
    Acquire,
    Action,
    AddressFilter,
    AeadAlgo,
    AEFlags,
    Algo,
    AuthAlgo,
    Counters,
    Default,
    DeletedPolicy,
    DeletedState,
    Direction,
    Encap,
    Event,
    ExpiredPolicy,
    ExpiredState,
    ExtraFlags,
    FlushedPolicies,
    FlushedStates,
    HashThreshold,
    Lifetime,
    Mark,
    Migrate,
    Mode,
    Policy,
    PolicyID,
    ReplayEsn,
    Selector,
    SpiRequest,
    State,
    StateFlags,
    StateID,
    Template,
)
from pace import SLOWNESS

ESP, UDP = 50, 17
A, B = "192.0.2.1", "192.0.2.2"
KEY = bytes(range(20))
GCM = "rfc4106(gcm(aes))"
TUNNEL: dict[str, Any] = {"saddr": A, "daddr": B, "proto": ESP, "mode": Mode.TUNNEL, "reqid": 9}


@pytest.fixture
def ipsec(netns: netns_.Namespace) -> Iterator[xfrm.Conn[Any]]:
    try:
        with xfrm.dial() as ipsec:
            yield ipsec
    except OpError as error:
        if error.errno != errno.EPROTONOSUPPORT:
            raise
        pytest.skip("the kernel has no xfrm")


@pytest.fixture
def esp(ipsec: xfrm.Conn[Any]) -> xfrm.Conn[Any]:
    """The same, if the kernel has ESP with AES-GCM."""
    require_esp(ipsec)
    return ipsec


def require_esp(ipsec: xfrm.Conn[Any]) -> None:
    state = State(**TUNNEL, spi=0xFFF, alg_aead=AeadAlgo.of(GCM, KEY))
    try:
        ipsec.create_state(state)
    except OpError as error:
        if error.errno not in (errno.EPROTONOSUPPORT, errno.ENOSYS):
            raise
        pytest.skip(f"no ESP: {error}")
    ipsec.delete_state(state.id)


@pytest.fixture
def events(ipsec: xfrm.Conn[Any]) -> Iterator[Stream[Any, Any]]:
    with ipsec.events() as events:
        yield events


def ip(*arguments: str) -> str:
    if not shutil.which("ip"):
        pytest.skip("ip is missing (Debian: iproute2)")
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def within(stream: Stream[Any, Any], kind: type[Any]) -> Any:
    """The next event of a kind."""
    for event in stream:
        if isinstance(event, kind):
            return event
    raise AssertionError("the stream has ended")


# Policies


POLICIES = [
    (
        Policy(sel=Selector(saddr="10.0.0.0/24", daddr="10.1.0.0/16"), dir=Direction.OUT, tmpl=[Template(**TUNNEL)]),
        "src 10.0.0.0/24 dst 10.1.0.0/16 dir out tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 9 mode tunnel",
    ),
    (
        Policy(
            sel=Selector(daddr="10.1.2.3", proto=UDP, dport=53, sport=1024, ifindex=1),
            dir=Direction.IN,
            action=Action.BLOCK,
            priority=100,
            mark=Mark(v=1, m=0xFF),
        ),
        "src 0.0.0.0/0 dst 10.1.2.3/32 proto udp sport 1024 dport 53 dev lo dir in action block priority 100 "
        "mark 0x1 mask 0xff",
    ),
    (
        Policy(
            sel=Selector(saddr="2001:db8::/32", daddr="2001:db8:1::1"),
            dir=Direction.FWD,
            if_id=7,
            tmpl=[
                Template(proto=51, mode=Mode.TRANSPORT, family=socket.AF_INET6, optional=1),
                Template(saddr="2001:db8::1", daddr="2001:db8::2", proto=ESP, mode=Mode.TUNNEL, spi=0x1234),
            ],
        ),
        "src 2001:db8::/32 dst 2001:db8:1::1/128 dir fwd if_id 7 "
        "tmpl src :: dst :: proto ah mode transport level use "
        "tmpl src 2001:db8::1 dst 2001:db8::2 proto esp spi 0x1234 mode tunnel",
    ),
    (
        Policy(
            sel=Selector(saddr="10.0.0.0/8"),
            dir=Direction.OUT,
            lft=Lifetime(soft_byte_limit=10, hard_byte_limit=20, hard_use_expires_seconds=1000),
        ),
        "src 10.0.0.0/8 dst 0.0.0.0/0 dir out limit byte-soft 10 limit byte-hard 20 limit time-use-hard 1000",
    ),
    (
        Policy(
            sel=Selector(saddr="10.0.0.0/8"),
            dir=Direction.OUT,
            tmpl=[Template(proto=ESP, mode=Mode.TRANSPORT, reqid=number, spi=number) for number in range(1, 7)],
        ),
        "src 10.0.0.0/8 dst 0.0.0.0/0 dir out"
        + "".join(f" tmpl proto esp spi {number} reqid {number} mode transport" for number in range(1, 7)),
    ),
]


def plain(policy: Policy) -> dict[str, Any]:
    """A policy without what the kernel adds."""
    found = policy.to_dict()
    for name in ("curlft", "index"):
        del found["header"][name]
    del found["policy_type"]
    return found


@pytest.mark.parametrize(("policy", "text"), POLICIES, ids=["tunnel", "block", "bundle", "limits", "six"])
def test_policies_are_those_of_ip(ipsec: xfrm.Conn[Any], policy: Policy, text: str) -> None:
    ipsec.create_policy(policy)
    (ours,) = ipsec.policies()
    shown = re.sub("lifetime current.*?use [^ ]+", "", ip("-s", "xfrm", "policy"))
    ipsec.flush_policies()
    ip("xfrm", "policy", "add", *text.split())
    (theirs,) = ipsec.policies()
    assert plain(ours) == plain(theirs)
    index = re.compile(r" index \d+")
    again = re.sub("lifetime current.*?use [^ ]+", "", ip("-s", "xfrm", "policy"))
    assert index.sub("", shown) == index.sub("", again)
    for name in ("sel", "dir", "action", "priority", "tmpl", "mark", "if_id"):
        given = getattr(policy, name)
        assert getattr(ours, name) == given or given in (None, 0), name


def test_a_seventh_template_is_refused(ipsec: xfrm.Conn[Any]) -> None:
    bundle = [Template(proto=ESP, mode=Mode.TRANSPORT, reqid=number) for number in range(1, 8)]
    with pytest.raises(OpError) as caught:
        ipsec.create_policy(Policy(sel=Selector(saddr="10.0.0.0/8"), dir=Direction.OUT, tmpl=bundle))
    assert caught.value.errno == errno.EINVAL
    assert len(ipsec.policies()) == 0


def test_a_policy_comes_changes_and_goes(ipsec: xfrm.Conn[Any], events: Stream[Any, Any]) -> None:
    policy = Policy(sel=Selector(daddr="10.0.0.0/8"), dir=Direction.OUT, action=Action.BLOCK, if_id=3)
    assert policy.header is not None
    ipsec.create_policy(policy)
    with pytest.raises(FileExistsError, match="there is a policy"):
        ipsec.create_policy(policy)
    ipsec.update_policy(policy.replace(header=policy.header.replace(priority=5)))
    (found,) = ipsec.policies()
    assert found.priority == 5
    assert ipsec.get_policy(found.id) == found
    assert ipsec.get_policy(dir=found.dir, index=found.index, if_id=3) == found
    assert ipsec.policy_info().counts.outcnt == 1
    ipsec.delete_policy(found.id)
    with pytest.raises(FileNotFoundError, match="no such policy"):
        ipsec.get_policy(found.id)
    with pytest.raises(FileNotFoundError, match="no such policy"):
        ipsec.delete_policy(PolicyID(sel=Selector(daddr="10.0.0.0/8"), dir=Direction.OUT))  # of no interface
    new, update, gone = (next(events) for _ in range(3))
    assert (new.event, new.sel, new.if_id) == (Event.NEW, policy.sel, 3)
    assert (update.event, update.priority) == (Event.UPDATE, 5)
    assert isinstance(gone, DeletedPolicy)
    assert gone.policy is not None
    assert (gone.policy.priority, gone.policy.sel, gone.dir, gone.if_id) == (5, policy.sel, Direction.OUT, 3)


def test_policies_are_flushed(ipsec: xfrm.Conn[Any], events: Stream[Any, Any]) -> None:
    for n in range(100):
        ipsec.create_policy(sel=Selector(daddr=f"10.0.{n}.0/24"), dir=Direction.IN, action=Action.BLOCK)
    assert {str(policy.sel.daddr) for policy in ipsec.policies()} == {f"10.0.{n}.0" for n in range(100)}
    ipsec.flush_policies()
    ipsec.flush_policies()  # none is there
    assert len(ipsec.policies()) == 0
    within(events, FlushedPolicies)


def test_a_policy_expires(ipsec: xfrm.Conn[Any], events: Stream[Any, Any]) -> None:
    ipsec.create_policy(sel=Selector(daddr="10.0.0.0/8"), dir=Direction.OUT, lft=Lifetime(hard_add_expires_seconds=1))
    expired = within(events, ExpiredPolicy)
    assert (expired.hard, str(expired.sel.daddr), expired.dir) == (1, "10.0.0.0", Direction.OUT)
    assert len(ipsec.policies()) == 0


def test_packets_without_a_policy(ipsec: xfrm.Conn[Any]) -> None:
    try:
        before = ipsec.defaults()
    except OpError as error:
        if error.errno != errno.EINVAL:
            raise
        pytest.skip("defaults came with Linux 5.15")
    assert (before.in_, before.fwd, before.out) == (Default.ACCEPT,) * 3
    ipsec.set_defaults(fwd=Default.BLOCK)
    assert ipsec.defaults() == before.replace(header=before.header.replace(fwd=Default.BLOCK))
    shown = ip("xfrm", "policy", "getdefault")
    assert [word for word in shown.split() if word in ("block", "accept")] == ["accept", "block", "accept"]


def test_thresholds_of_the_hash_table(ipsec: xfrm.Conn[Any]) -> None:
    ipsec.set_policy_info(threshold_ipv4=HashThreshold(lbits=24, rbits=16))
    info = ipsec.policy_info()
    assert (info.threshold_ipv4.lbits, info.threshold_ipv4.rbits) == (24, 16)
    assert (info.threshold_ipv6.lbits, info.threshold_ipv6.rbits) == (128, 128)


# States that have an SPI alone, which need no ESP


def test_an_spi(ipsec: xfrm.Conn[Any], events: Stream[Any, Any]) -> None:
    state = ipsec.allocate_spi(SpiRequest(**TUNNEL, min=0x100, max=0x1FF))
    assert 0x100 <= state.spi <= 0x1FF
    assert (str(state.saddr), str(state.daddr), state.reqid, state.mode) == (A, B, 9, Mode.TUNNEL)
    assert list(ipsec.states()) == [state] == [ipsec.get_state(state.id)]
    assert ipsec.state_info().count == 1
    counters = ipsec.counters(daddr=B, spi=state.spi, proto=ESP)
    assert (counters.ltime_val.packets, counters.reqid, str(counters.saddr)) == (0, 9, A)
    with pytest.raises(FileNotFoundError, match="no SPI of this range is free"):
        ipsec.allocate_spi(**TUNNEL, seq=1, min=state.spi, max=state.spi)
    ipsec.flush_states(proto=51)
    assert state.spi in [one.spi for one in ipsec.states(proto=ESP)]
    assert len(ipsec.states(proto=51)) == 0
    there = AddressFilter(saddr=A, daddr=B, splen=32, dplen=32)
    assert state.spi in [one.spi for one in ipsec.states(address_filter=there)]
    assert len(ipsec.states(address_filter=AddressFilter(saddr=B, daddr=A, splen=32, dplen=32))) == 0
    ipsec.delete_state(state.id)
    gone = within(events, DeletedState)
    assert (gone.spi, str(gone.daddr), str(gone.sa.saddr)) == (state.spi, B, A)
    with pytest.raises(ProcessLookupError, match="no such state"):
        ipsec.get_state(state.id)
    ipsec.flush_states()
    assert within(events, FlushedStates).proto in (0, 51)


def test_a_packet_that_needs_a_state(ipsec: xfrm.Conn[Any], conn: Conn) -> None:
    """Who listens to such packets is the key manager, for the kernel, and it waits for it."""
    index = netns_.add_link(conn, "link")  # not lo, where no policy is looked at
    netns_.set_up(conn, index)
    with route.dial() as rt:
        rt.create(Address(index=index, address="10.0.0.1/8"))
    template = Template(saddr="10.0.0.1", daddr="10.0.0.2", proto=ESP, mode=Mode.TUNNEL, reqid=5)
    ipsec.create_policy(sel=Selector(daddr="10.9.0.0/16", proto=UDP), dir=Direction.OUT, tmpl=[template])
    with ipsec.events(), socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("10.9.0.1", 9))
        assert len(ipsec.states()) == 0
    with ipsec.acquires() as acquires, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("10.9.0.1", 9))
        wanted = next(acquires)
        assert isinstance(wanted, Acquire)
        assert wanted.sel is not None
        assert wanted.policy is not None
        assert (str(wanted.saddr), str(wanted.daddr), wanted.proto) == ("10.0.0.1", "10.0.0.2", ESP)
        assert (str(wanted.sel.daddr), wanted.sel.dport, wanted.sel.proto) == ("10.9.0.1", 9, UDP)
        assert wanted.tmpl == (template,)
        assert wanted.policy.dir == Direction.OUT
        (state,) = ipsec.states()
        assert (state.spi, state.seq, state.reqid) == (0, wanted.seq, 5)


# States


STATES = [
    (
        State(**TUNNEL, spi=0x100, replay_window=32, alg_aead=AeadAlgo.of(GCM, KEY)),
        f"src {A} dst {B} proto esp spi 0x100 reqid 9 mode tunnel replay-window 32 aead {GCM} 0x{KEY.hex()} 128",
    ),
    (
        State(
            saddr=A, daddr=B, proto=ESP, spi=0x200, mode=Mode.TRANSPORT, flags=StateFlags.NOECN, if_id=4,
            extra_flags=ExtraFlags.DONT_ENCAP_DSCP, mark=Mark(v=3, m=7), set_mark=5, set_mark_mask=15,
            sel=Selector(saddr=A, daddr=B, proto=UDP, dport=53),
            alg_crypt=Algo.of("cbc(aes)", KEY[:16]), alg_auth_trunc=AuthAlgo.of("hmac(sha256)", KEY, 128),
        ),
        f"src {A} dst {B} proto esp spi 0x200 mode transport flag noecn extra-flag dont-encap-dscp mark 3 mask 7 "
        f"output-mark 5 mask 15 if_id 4 sel src {A} dst {B} proto udp dport 53 "
        f"enc cbc(aes) 0x{KEY[:16].hex()} auth-trunc hmac(sha256) 0x{KEY.hex()} 128",
    ),
    (
        State(
            saddr="2001:db8::1", daddr="2001:db8::2", proto=ESP, spi=0x300, mode=Mode.TUNNEL, flags=StateFlags.ESN,
            replay_esn=ReplayEsn.of(128), alg_aead=AeadAlgo.of(GCM, KEY), tfcpad=1400,
            lft=Lifetime(hard_byte_limit=1 << 40, soft_add_expires_seconds=3600),
        ),
        "src 2001:db8::1 dst 2001:db8::2 proto esp spi 0x300 mode tunnel flag esn replay-window 128 tfcpad 1400 "
        f"limit byte-hard {1 << 40} limit time-soft 3600 aead {GCM} 0x{KEY.hex()} 128",
    ),
    (
        State(
            **TUNNEL, spi=0x400, alg_aead=AeadAlgo.of(GCM, KEY),
            encap=Encap(type=2, sport=4500, dport=4501, oa=bytes(16)),
        ),
        f"src {A} dst {B} proto esp spi 0x400 reqid 9 mode tunnel encap espinudp 4500 4501 0.0.0.0 "
        f"aead {GCM} 0x{KEY.hex()} 128",
    ),
    (
        State(
            **TUNNEL, spi=0x500, flags=StateFlags.ESN, replay_esn=ReplayEsn.of(4096),
            alg_crypt=Algo.of("ecb(cipher_null)", b""), alg_auth_trunc=AuthAlgo.of("hmac(sha1)", KEY, 96),
        ),
        f"src {A} dst {B} proto esp spi 0x500 reqid 9 mode tunnel flag esn replay-window 4096 "
        f"enc ecb(cipher_null)  auth-trunc hmac(sha1) 0x{KEY.hex()} 96",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("state", "text"), STATES, ids=["aead", "crypt", "esn", "encap", "null"])
def test_states_are_those_of_ip(esp: xfrm.Conn[Any], state: State, text: str) -> None:
    esp.create_state(state)
    (ours,) = esp.states()
    times = re.compile(r"add [^ ]+ [^ ]+ use [^ ]+( [\d:]+)?|lastused [^ ]+ [^ ]+")
    shown = times.sub("", ip("-s", "xfrm", "state"))
    esp.flush_states()
    ip("xfrm", "state", "add", *text.split(" "))
    (theirs,) = esp.states()
    assert times.sub("", ip("-s", "xfrm", "state")) == shown

    def kept(one: State) -> dict[str, Any]:
        found = one.to_dict()
        del found["header"]["curlft"]
        return found

    assert kept(ours) == kept(theirs)
    for name in ("alg_aead", "alg_crypt", "alg_auth_trunc", "mark", "if_id", "encap", "replay_esn", "tfcpad", "flags",
                 "extra_flags", "set_mark", "set_mark_mask", "reqid", "spi", "lft"):  # fmt: skip
        assert getattr(ours, name) == getattr(state, name) or getattr(state, name) is None, name
    assert KEY.hex()[:32] in shown  # of ip, not of us
    for text in (repr(ours), str(esp.states()), esp.states()._repr_html_()):
        assert KEY[:16].hex() not in text
        assert repr(KEY[:16])[2:-1] not in text


def test_a_state_comes_changes_and_goes(esp: xfrm.Conn[Any], events: Stream[Any, Any]) -> None:
    state = State(**TUNNEL, spi=0x100, alg_aead=AeadAlgo.of(GCM, KEY))
    assert state.header is not None
    esp.create_state(state)
    with pytest.raises(FileExistsError, match="there is a state"):
        esp.create_state(state)
    esp.update_state(state.replace(header=state.header.replace(lft=Lifetime(hard_packet_limit=1000))))
    found = esp.get_state(state.id)
    assert found.lft.hard_packet_limit == 1000
    assert esp.get_state(StateID(daddr=B, spi=0x100, proto=ESP)) == found
    esp.delete_state(state.id)
    new, update, gone = (next(events) for _ in range(3))
    assert (new.event, update.event) == (Event.NEW, Event.UPDATE)
    assert (new.spi, new.alg_aead) == (0x100, state.alg_aead)
    assert isinstance(gone, DeletedState)


def test_the_counters_of_a_state(esp: xfrm.Conn[Any], events: Stream[Any, Any]) -> None:
    esp.create_state(**TUNNEL, spi=0x100, alg_aead=AeadAlgo.of(GCM, KEY))
    counters = esp.counters(daddr=B, spi=0x100, proto=ESP)
    assert counters.ltime_val is not None
    used = counters.ltime_val.replace(packets=7)
    esp.set_counters(daddr=B, spi=0x100, proto=ESP, ltime_val=used, replay_val=counters.replay_val)
    assert esp.counters(daddr=B, spi=0x100, proto=ESP).ltime_val == used
    assert esp.get_state(daddr=B, spi=0x100, proto=ESP).curlft == used
    changed = within(events, Counters)
    assert (changed.spi, changed.flags) == (0x100, AEFlags.CU)


def test_an_spi_becomes_a_state(esp: xfrm.Conn[Any]) -> None:
    larval = esp.allocate_spi(**TUNNEL, min=0x500, max=0x5FF)
    esp.update_state(**TUNNEL, spi=larval.spi, alg_aead=AeadAlgo.of(GCM, KEY))
    (state,) = esp.states()
    assert (state.spi, state.alg_aead.name) == (larval.spi, GCM)


def test_many_states_at_once(esp: xfrm.Conn[Any]) -> None:
    algorithm = AeadAlgo.of(GCM, KEY)
    calls = [esp.calls.create_state(State(**TUNNEL, spi=0x1000 + n, alg_aead=algorithm)) for n in range(300)]
    calls.append(calls[0])
    *made, refused = esp.conn.execute_all(calls)
    assert made == [None] * 300
    assert isinstance(refused, FileExistsError)
    assert {state.spi for state in esp.states()} == set(range(0x1000, 0x1000 + 300))

    async def read() -> int:
        async with xfrm.dial_async() as there:
            return len(await there.states(proto=ESP))

    assert asyncio.run(asyncio.wait_for(read(), 20 * SLOWNESS)) == 300


def test_addresses_migrate(esp: xfrm.Conn[Any]) -> None:
    sel = Selector(saddr="10.0.0.0/24", daddr="10.1.0.0/24")
    esp.create_policy(sel=sel, dir=Direction.OUT, tmpl=[Template(**TUNNEL)])
    esp.create_state(**TUNNEL, spi=0x100, alg_aead=AeadAlgo.of(GCM, KEY))
    try:
        esp.migrate(
            sel=sel,
            dir=Direction.OUT,
            migrate=[
                Migrate(
                    old_saddr=A, old_daddr=B, new_saddr=A, new_daddr="192.0.2.3", proto=ESP, mode=Mode.TUNNEL, reqid=9,
                    old_family=socket.AF_INET, new_family=socket.AF_INET,
                )
            ],
        )  # fmt: skip
    except OpError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        pytest.skip("the kernel lacks CONFIG_XFRM_MIGRATE")
    (policy,) = esp.policies()
    assert str(policy.tmpl[0].daddr) == "192.0.2.3"
    (state,) = esp.states()
    assert str(state.daddr) == "192.0.2.3"


# A tunnel


def protect(ipsec: xfrm.Conn[Any], mine: int, other: int, *, lft: Lifetime | None = None) -> None:
    """One end of the tunnel between 10.0.1.0/24 behind 192.0.2.1 and 10.0.2.0/24 behind 192.0.2.2."""
    for here, there, direction in ((mine, other, Direction.OUT), (other, mine, Direction.IN)):
        ends: dict[str, Any] = {"saddr": f"192.0.2.{here}", "daddr": f"192.0.2.{there}", "proto": ESP, "reqid": 1}
        algorithm = AeadAlgo.of(GCM, bytes([here] * 20))
        ipsec.create_state(**ends, spi=0x100 + here, mode=Mode.TUNNEL, alg_aead=algorithm, replay_window=32, lft=lft)
        ipsec.create_policy(
            sel=Selector(saddr=f"10.0.{here}.0/24", daddr=f"10.0.{there}.0/24"),
            dir=direction,
            tmpl=[Template(**ends, mode=Mode.TUNNEL)],
        )


def connect(rt: route.Conn[Any], name: str, mine: int, other: int) -> None:
    rt.create(Address(index=rt.index(name), address=f"192.0.2.{mine}/24"))
    rt.up(name)
    rt.create(Address(index=netns_.LOOPBACK, address=f"10.0.{mine}.1/32"))
    rt.create(Route(dst=f"10.0.{other}.0/24", gateway=f"192.0.2.{other}", prefsrc=f"10.0.{mine}.1"))


def test_a_tunnel_carries_packets(esp: xfrm.Conn[Any]) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(netns_.another())
        rt = stack.enter_context(route.dial())
        rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v0", net_ns_fd=other.fd))))
        there = stack.enter_context(xfrm.dial(netns=other.fd))
        with route.dial(netns=other.fd) as far:
            connect(rt, "v0", 1, 2)
            connect(far, "v0", 2, 1)
        # Of these two one tells that it expires: the second packet is beyond its limit.
        expiring = stack.enter_context(there.events())
        protect(esp, 1, 2)
        protect(there, 2, 1, lft=Lifetime(soft_packet_limit=5))
        with netns_.inside(other.fd):
            server = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            server.bind(("10.0.2.1", 7))
        client = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        client.bind(("10.0.1.1", 0))
        client.settimeout(0.2 * SLOWNESS)
        server.settimeout(0.2 * SLOWNESS)
        arrived = 0
        while arrived < 10:
            client.sendto(b"hello", ("10.0.2.1", 7))
            try:
                data, peer = server.recvfrom(100)
            except TimeoutError:
                continue  # the link is not up yet
            assert (data, peer[0]) == (b"hello", "10.0.1.1")
            server.sendto(data, peer)
            assert client.recv(100) == b"hello"
            arrived += 1
        sent, received = (esp.get_state(daddr=f"192.0.2.{n}", spi=0x103 - n, proto=ESP) for n in (2, 1))
        assert received.curlft.packets == 10
        assert received.curlft.bytes == 10 * (20 + 8 + 5)
        assert sent.curlft.packets >= 10
        assert received.stats.integrity_failed == 0
        assert received.replay_val.seq == 10
        decrypted: Any = there.get_state(daddr="192.0.2.2", spi=0x101, proto=ESP)
        assert decrypted.curlft.packets == 10
        assert {one.spi for one in (within(expiring, ExpiredState) for _ in range(2))} == {0x101, 0x102}


# Refusals


def test_without_privilege(netns: netns_.Namespace) -> None:
    def refused() -> tuple[int | None, str]:
        with xfrm.dial() as ipsec:
            try:
                ipsec.states()
            except OpError as error:
                return error.errno, error.hint
        return 0, ""

    number, hint = unprivileged(refused)
    assert number == errno.EPERM
    assert "CAP_NET_ADMIN" in hint


def test_a_state_without_an_algorithm(ipsec: xfrm.Conn[Any]) -> None:
    with pytest.raises(OpError) as info:
        ipsec.create_state(**TUNNEL, spi=1)
    assert info.value.errno == errno.EINVAL
