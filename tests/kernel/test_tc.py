"""Traffic control on the real kernel: what tc creates is what we create, kind by kind, and both read the same."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from kernel.tc import ip, require, shown, tc, text, unknown
from kernel.tools import eventually
from netlink import route
from netlink.route.tc import (
    U32,
    ActBpf,
    Action,
    ActionTable,
    Basic,
    Bpf,
    Cake,
    CakeAckFilter,
    CakeDiffserv,
    CakeFlowMode,
    Cbs,
    CbsParms,
    Cgroup,
    Chain,
    Choke,
    Class,
    Codel,
    Connmark,
    ConnmarkParms,
    Csum,
    CsumFlags,
    CsumParms,
    Ct,
    CtFlags,
    Ctinfo,
    DrrClass,
    Ematch,
    EmatchKind,
    EmatchTree,
    Etf,
    EtfFlags,
    EtfParms,
    Ets,
    Fifo,
    Filter,
    Flow,
    Flower,
    FlowerCtState,
    FlowerFlags,
    FlowerGeneve,
    FlowerTunnelOptions,
    FlowKeys,
    FlowMode,
    Fq,
    FqCodel,
    FqPie,
    Fw,
    Gact,
    GactProb,
    GactRandom,
    Gate,
    GateEntry,
    Gred,
    GredSetup,
    Handle,
    Hfsc,
    HfscClass,
    Hhf,
    Htb,
    Ife,
    IfeFlags,
    IfeMeta,
    IfeParms,
    LinkLayer,
    Matchall,
    Mirred,
    MirredAction,
    MirredParms,
    Mpls,
    MplsAction,
    MplsParms,
    Mqprio,
    MqprioMap,
    Multiq,
    Nat,
    NatFlags,
    NatParms,
    Netem,
    NetemCorr,
    NetemCorrupt,
    NetemGEModel,
    NetemRate,
    NetemReorder,
    NetemSlot,
    Parms,
    Pedit,
    PeditCommand,
    PeditHeader,
    PeditKey,
    PeditKeyEx,
    Pie,
    Plug,
    PlugAction,
    Police,
    Prio,
    Qdisc,
    QfqClass,
    Red,
    RedFlags,
    Route4,
    Sample,
    ServiceCurve,
    Sfb,
    SfbParms,
    Sfq,
    Simple,
    Skbedit,
    Skbmod,
    SkbmodParms,
    Skbprio,
    SockFilter,
    Taprio,
    TaprioEntry,
    Tbf,
    TunnelKey,
    TunnelKeyAction,
    TunnelKeyGeneve,
    TunnelKeyOptions,
    TunnelKeyParms,
    U32Key,
    U32Match,
    Verdict,
    Vlan,
    VlanAction,
    VlanParms,
    probability,
    red_parms,
    red_table,
)

ETH_P_ALL, ETH_P_IP, ETH_P_8021Q = 0x3, 0x800, 0x8100
CLOCK_TAI = 11
ALL_PASS = SockFilter(code=6, k=0xFFFFFFFF)
# What the kernel reports otherwise than it was asked for, by tc, too.
ROUNDED = {
    "target",
    "interval",
    "tupdate",
    "flow_refill_delay",
    "reset_timeout",
    "evict_timeout",
    "ce_threshold",
    "cell_log",
    "cell_align",
    "buffer",
    "cbuffer",
    "burst",
    "mtu",
    "version",
}
MAP = [0, 0, 0, 0, *[1] * 12]


class Case(NamedTuple):
    """The same object for tc and for us.

    ignored: what is no option in both, such as a table. overwritten: options that some kernels take and do not use.
    """

    kind: str
    args: str
    fields: dict[str, Any]
    queues: int = 1
    ignored: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()


def options(record: Any, **fields: Any) -> dict[str, Any]:
    return {"options": record, **fields}


PRIOMAP = bytes([1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
RED = red_table(
    red_parms(400000, 30000, 90000, packet=1000, burst=55, probability=0.1, flags=RedFlags.ECN),
    packet=1000,
    rate="10mbit",
)
CHOKE = red_table(
    red_parms(1000, 100, 300, packet=1, burst=250, probability=0.02, flags=RedFlags.ECN), packet=1000, rate="10mbit"
)

QDISCS = [
    Case("pfifo", "limit 300", options(Fifo(limit=300), kind="pfifo")),
    Case("bfifo", "limit 30000", options(Fifo(limit=30000), kind="bfifo")),
    Case("pfifo_head_drop", "limit 300", options(Fifo(limit=300), kind="pfifo_head_drop")),
    Case("pfifo_fast", "", {"kind": "pfifo_fast"}),
    Case(
        "prio",
        "bands 3 priomap " + " ".join(map(str, PRIOMAP)),
        options(Prio(bands=3, priomap=PRIOMAP), kind="prio"),
    ),
    Case("multiq", "", options(Multiq()), queues=4),
    Case("mq", "", {"kind": "mq"}, queues=4),
    Case("skbprio", "limit 128", options(Skbprio(limit=128))),
    Case("plug", "limit 1000", options(Plug(action=PlugAction.LIMIT, limit=1000))),
    Case(
        "sfq",
        "perturb 10 quantum 1500 limit 100 depth 64 divisor 512 headdrop",
        options(Sfq(perturb_period=10, quantum=1500, limit=100, depth=64, divisor=512, headdrop=1)),
    ),
    Case(
        "sfb",
        "rehash 600000 db 60000 limit 1000 max 25 target 20 increment 0.0005 decrement 0.00005 "
        "penalty_rate 10 penalty_burst 20",
        options(
            Sfb(
                parms=SfbParms(
                    rehash_interval=600000,
                    warmup_time=60000,
                    max=25,
                    bin_size=20,
                    increment=33,
                    decrement=3,
                    limit=1000,
                    penalty_rate=10,
                    penalty_burst=20,
                )
            )
        ),
    ),
    Case(
        "red",
        "limit 400000 min 30000 max 90000 avpkt 1000 burst 55 bandwidth 10mbit probability 0.1 ecn",
        options(Red(parms=RED[0], stab=RED[1], max_p=int(0.1 * 2**32))),
        ignored=("Scell_log", "scell_log"),
    ),
    Case(
        "choke",
        "limit 1000 bandwidth 10mbit min 100 max 300 burst 250 ecn",
        options(Choke(parms=CHOKE[0], stab=CHOKE[1], max_p=int(0.02 * 2**32))),
        ignored=("Scell_log", "scell_log", "Plog", "plog"),
    ),
    Case(
        "gred", "setup DPs 3 default 2 grio", options(Gred(setup=GredSetup(dps=3, default_dp=2, grio=1)), kind="gred")
    ),
    Case(
        "codel",
        "limit 100 target 4ms interval 30ms ecn ce_threshold 10ms",
        options(Codel(limit=100, target=4000, interval=30000, ecn=1, ce_threshold=10000)),
    ),
    Case(
        "fq_codel",
        "limit 1000 flows 512 target 4ms interval 80ms quantum 300 noecn memory_limit 1Mb ce_threshold 2ms "
        "drop_batch 32",
        options(
            FqCodel(
                limit=1000,
                flows=512,
                target=4000,
                interval=80000,
                quantum=300,
                ecn=0,
                memory_limit=1 << 20,
                ce_threshold=2000,
                drop_batch_size=32,
            )
        ),
    ),
    Case(
        "fq",
        "limit 5000 flow_limit 50 quantum 4000 initial_quantum 20000 maxrate 10mbit buckets 512 nopacing "
        "refill_delay 30ms low_rate_threshold 1mbit ce_threshold 5ms orphan_mask 255 timer_slack 20us horizon 5s "
        "horizon_cap",
        options(
            Fq(
                plimit=5000,
                flow_plimit=50,
                quantum=4000,
                initial_quantum=20000,
                flow_max_rate=1_250_000,
                buckets_log=9,
                rate_enable=0,
                flow_refill_delay=30000,
                low_rate_threshold=125_000,
                ce_threshold=5000,
                orphan_mask=255,
                timer_slack=20000,
                horizon=5_000_000,
                horizon_drop=0,
            )
        ),
    ),
    Case(
        "hhf",
        "limit 500 quantum 2000 hh_limit 1000 reset_timeout 50ms admit_bytes 100000 evict_timeout 2s non_hh_weight 3",
        options(
            Hhf(
                backlog_limit=500,
                quantum=2000,
                hh_flows_limit=1000,
                reset_timeout=50000,
                admit_bytes=100000,
                evict_timeout=2_000_000,
                non_hh_weight=3,
            )
        ),
        overwritten=("hh_flows_limit",),  # by the table's capacity, which older kernels set after it
    ),
    Case(
        "pie",
        "limit 500 target 20ms tupdate 30ms alpha 3 beta 22 ecn bytemode",
        options(Pie(limit=500, target=20000, tupdate=30000, alpha=3, beta=22, ecn=1, bytemode=1)),
    ),
    Case(
        "fq_pie",
        "limit 500 flows 128 target 20ms tupdate 30ms alpha 3 beta 22 quantum 900 memory_limit 1Mb ecn_prob 20 ecn "
        "bytemode",
        options(
            FqPie(
                limit=500,
                flows=128,
                target=20000,
                tupdate=30000,
                alpha=3,
                beta=22,
                quantum=900,
                memory_limit=1 << 20,
                ecn_prob=20,
                ecn=1,
                bytemode=1,
            )
        ),
    ),
    Case(
        "cake",
        "bandwidth 10mbit diffserv4 triple-isolate nat wash ingress ack-filter overhead -8 mpu 64 rtt 50ms "
        "memlimit 4Mb fwmark 0xff no-split-gso",
        options(
            Cake(
                base_rate=1_250_000,
                diffserv_mode=CakeDiffserv.DIFFSERV4,
                flow_mode=CakeFlowMode.TRIPLE,
                nat=1,
                wash=1,
                ingress=1,
                ack_filter=CakeAckFilter.FILTER,
                overhead=-8,
                mpu=64,
                rtt=50000,
                target=2500,
                memory=4 << 20,
                fwmark=0xFF,
                split_gso=0,
            )
        ),
    ),
    Case(
        "netem",
        "limit 500 delay 10ms 2ms 25% loss 1% 10% duplicate 0.5% 5% reorder 25% 50% gap 3 corrupt 0.1% 7% "
        "rate 5mbit 14 53 5 slot 1ms 3ms packets 8 bytes 9000",
        options(
            Netem(
                limit=500,
                latency64=10_000_000,
                jitter64=2_000_000,
                loss=probability(0.01),
                duplicate=probability(0.005),
                gap=3,
                corr=NetemCorr(delay_corr=probability(0.25), loss_corr=probability(0.1), dup_corr=probability(0.05)),
                reorder=NetemReorder(probability=probability(0.25), correlation=probability(0.5)),
                corrupt=NetemCorrupt(probability=probability(0.001), correlation=probability(0.07)),
                rate=NetemRate(rate=625_000, packet_overhead=14, cell_size=53, cell_overhead=5),
                slot=NetemSlot(min_delay=1_000_000, max_delay=3_000_000, max_packets=8, max_bytes=9000),
            )
        ),
        ignored=("prng_seed", "seed"),
    ),
    Case(
        "netem",
        "limit 100 loss gemodel 1% 10% 70% 0.1% ecn rate 50gbit",
        options(
            Netem(
                limit=100,
                loss_ge=NetemGEModel(p=probability(0.01), r=probability(0.1), h=1288490189, k1=probability(0.001)),
                ecn=1,
                rate=NetemRate(rate=0xFFFFFFFF),
                rate64=6_250_000_000,
            )
        ),
        ignored=("prng_seed", "seed"),
    ),
    Case(
        "tbf",
        "rate 10mbit burst 20000 latency 50ms peakrate 20mbit mtu 2000",
        options(Tbf.of("10mbit", 20000, latency_us=50000, peakrate="20mbit", mtu=2000)),
    ),
    Case("tbf", "rate 50gbit burst 2mb limit 10mb", options(Tbf.of("50gbit", 2 << 20, limit=10 << 20))),
    Case(
        "tbf",
        "rate 1mbit burst 5000 limit 9000 overhead 14 mpu 64 linklayer atm",
        options(Tbf.of("1mbit", 5000, limit=9000, overhead=14, mpu=64, linklayer=LinkLayer.ATM)),
    ),
    Case("htb", "default 10 r2q 5 direct_qlen 50", options(Htb.qdisc(0x10, r2q=5, direct_qlen=50))),
    Case("hfsc", "default 1", options(Hfsc(defcls=1))),
    Case("drr", "", {"kind": "drr"}),
    Case("qfq", "", {"kind": "qfq"}),
    Case(
        "ets",
        "bands 4 strict 2 quanta 4000 3000 priomap 0 1 2 3 3 3 3 3 3 3 3 3 3 3 3 3",
        options(Ets(nbands=4, nstrict=2, quanta=[4000, 3000], priomap=[0, 1, 2, *[3] * 13])),
    ),
    Case(
        "mqprio",
        "num_tc 2 map " + " ".join(map(str, MAP)) + " queues 2@0 2@2 hw 0",
        options(Mqprio(header=MqprioMap.of(MAP, [(2, 0), (2, 2)]))),
        queues=4,
    ),
    Case(
        "taprio",
        "num_tc 2 map " + " ".join(map(str, MAP)) + " queues 1@0 1@1 base-time 1000 sched-entry S 01 300000 "
        "sched-entry S 02 700000 clockid CLOCK_TAI",
        options(
            Taprio(
                priomap=MqprioMap.of(MAP, [(1, 0), (1, 1)]),
                base_time=1000,
                entries=[
                    TaprioEntry(cmd=0, gate_mask=1, interval=300000),
                    TaprioEntry(cmd=0, gate_mask=2, interval=700000),
                ],
                clockid=CLOCK_TAI,
            )
        ),
        queues=4,
    ),
    Case(
        "etf",
        "clockid CLOCK_TAI delta 300000 deadline_mode skip_sock_check",
        options(
            Etf(
                parms=EtfParms(delta=300000, clockid=CLOCK_TAI, flags=EtfFlags.DEADLINE_MODE | EtfFlags.SKIP_SOCK_CHECK)
            )
        ),
    ),
    Case(
        "cbs",
        "idleslope 98688 sendslope -901312 hicredit 153 locredit -1389 offload 0",
        options(Cbs(parms=CbsParms(idleslope=98688, sendslope=-901312, hicredit=153, locredit=-1389))),
    ),
]

HTB, HFSC = Htb.qdisc(), Hfsc()
CLASSES = [
    (
        {"options": HTB},
        Case(
            "htb",
            "rate 10mbit ceil 20mbit burst 20000 cburst 30000 prio 3 quantum 2000 overhead 14 mpu 64",
            options(Htb.of("10mbit", "20mbit", burst=20000, cburst=30000, prio=3, quantum=2000, overhead=14, mpu=64)),
        ),
    ),
    (
        {"options": HTB},
        Case(
            "htb",
            "rate 50gbit ceil 80gbit burst 20mb cburst 30mb quantum 60000",
            options(Htb.of("50gbit", "80gbit", burst=20 << 20, cburst=30 << 20, quantum=60000)),
        ),
    ),
    (
        {"options": HFSC},
        Case(
            "hfsc",
            "rt m1 10mbit d 10ms m2 5mbit ls m2 3mbit ul m2 20mbit",
            options(
                HfscClass(
                    rsc=ServiceCurve(m1=1_250_000, d=10000, m2=625_000),
                    fsc=ServiceCurve(m2=375_000),
                    usc=ServiceCurve(m2=2_500_000),
                )
            ),
        ),
    ),
    ({"kind": "drr"}, Case("drr", "quantum 2000", options(DrrClass(quantum=2000)))),
    ({"kind": "qfq"}, Case("qfq", "weight 10 maxpkt 1500", options(QfqClass(weight=10, lmax=1500)))),
]


@pytest.fixture
def rt(netns: object) -> Iterator[Any]:
    with route.dial() as rt:
        yield rt


def add_device(name: str, queues: int = 1) -> int:
    """A link that takes any qdisc."""
    ip(
        "link",
        "add",
        name,
        "numtxqueues",
        str(queues),
        "numrxqueues",
        str(queues),
        "type",
        "veth",
        "peer",
        "name",
        f"{name}p",
    )
    ip("link", "set", name, "up")
    return socket.if_nametoindex(name)


@pytest.fixture
def device(netns: object) -> int:
    return add_device("d0")


def without(value: Any, names: tuple[str, ...]) -> Any:
    """A value of JSON without some keys at any depth."""
    if isinstance(value, dict):
        return {name: without(item, names) for name, item in value.items() if name not in names}
    return [without(item, names) for item in value] if isinstance(value, list) else value


def plain(record: Any, case: Case) -> Any:
    """The options of a record as a dict."""
    found = record.options
    return without(found.to_dict() if hasattr(found, "to_dict") else found, case.ignored)


def check_given(given: Any, found: Any, path: str = "", ignored: tuple[str, ...] = ()) -> None:
    """What a request had is in the report, as far as the kernel reports it."""
    for name in type(given).__fields__:
        want, got = getattr(given, name), getattr(found, name)
        if not want or got is None or name in {*ROUNDED, *ignored}:
            continue
        if hasattr(want, "__fields__"):
            check_given(want, got, f"{path}{name}.", ignored)
        elif isinstance(want, tuple) and want and hasattr(want[0], "__fields__"):
            for a, b in zip(want, got, strict=False):
                check_given(a, b, f"{path}{name}.", ignored)
        else:
            assert got == want, f"{path}{name}"


def the_qdisc(rt: Any, index: int) -> Any:
    (found,) = [q for q in rt.dump(Qdisc, index=index) if q.parent == Handle.ROOT]
    return found


def settled(rt: Any, index: int) -> Any:
    """The qdisc of a link, whose schedule is operational if it is taprio."""
    return eventually(
        lambda: None if getattr((q := the_qdisc(rt, index)).options, "admin", None) is not None else q, "operational"
    )


@pytest.mark.parametrize("case", QDISCS, ids=lambda case: f"{case.kind}-{case.args[:20].replace(' ', '-')}")
def test_qdiscs_are_those_of_tc(rt: Any, case: Case) -> None:
    require(case.kind)
    index = add_device("d0", case.queues)
    tc("qdisc", "add", "dev", "d0", "root", "handle", "1:", case.kind, *case.args.split())
    theirs = settled(rt, index)
    shown_theirs = shown("qdisc", "dev", "d0", "root")
    assert unknown(theirs) == []
    rt.delete(Qdisc(index=index, parent="root"))
    request = Qdisc(index=index, parent="root", handle="1:", **case.fields)
    rt.create(request)
    ours = settled(rt, index)
    assert plain(ours, case) == plain(theirs, case)
    assert without(shown("qdisc", "dev", "d0", "root"), case.ignored) == without(shown_theirs, case.ignored)
    assert (ours.kind, ours.handle, str(ours.handle)) == (case.kind, 0x10000, "1:")
    if request.options is not None and ours.options is not None:
        overwritten = [n for n in case.overwritten if getattr(theirs.options, n) != getattr(request.options, n)]
        check_given(request.options, ours.options, ignored=(*case.ignored, *overwritten))
    assert ours.stats2.basic.packets == 0


@pytest.mark.parametrize(("qdisc", "case"), CLASSES, ids=lambda value: getattr(value, "kind", ""))
def test_classes_are_those_of_tc(rt: Any, device: int, qdisc: dict[str, Any], case: Case) -> None:
    require(case.kind)
    made = Qdisc(index=device, parent="root", handle="1:", **qdisc)
    rt.create(made)
    tc("class", "add", "dev", "d0", "parent", "1:", "classid", "1:10", case.kind, *case.args.split())
    (theirs,) = [c for c in rt.dump(Class, index=device) if c.handle == 0x10010]
    shown_theirs = shown("class", "dev", "d0", "classid", "1:10")
    assert unknown(theirs) == []
    rt.delete(Class(index=device, handle="1:10"))
    request = Class(index=device, parent="1:", handle="1:10", **case.fields)
    rt.create(request)
    (ours,) = [c for c in rt.dump(Class, index=device) if c.handle == 0x10010]
    assert plain(ours, case) == plain(theirs, case)
    assert shown("class", "dev", "d0", "classid", "1:10") == shown_theirs
    check_given(request.options, ours.options)


def parms(action: int = Verdict.PIPE) -> Parms:
    return Parms(action=action)


# What `tc action` has, and the same options.
ACTIONS: list[tuple[str, str, Any]] = [
    (
        "gact",
        "drop random determ ok 5",
        Gact(parms=parms(Verdict.SHOT), prob=GactProb(ptype=GactRandom.DETERM, pval=5, paction=Verdict.OK)),
    ),
    (
        "mirred",
        "egress redirect dev lo",
        Mirred(parms=MirredParms(action=Verdict.STOLEN, eaction=MirredAction.EGRESS_REDIR, ifindex=1)),
    ),
    (
        "police",
        "rate 10mbit burst 20000 mtu 3000 conform-exceed drop/pipe",
        Police.of("10mbit", 20000, mtu=3000, action=Verdict.SHOT, result=Verdict.PIPE),
    ),
    (
        "police",
        "pkts_rate 1000 pkts_burst 50 conform-exceed drop",
        Police.of(packets=1000, packet_burst=50, action=Verdict.SHOT),
    ),
    (
        "skbedit",
        "mark 5/0xff priority 1:10",
        Skbedit(parms=parms(), mark=5, mask=0xFF, priority=0x10010),
    ),
    (
        "vlan",
        "push id 100 protocol 802.1ad priority 3",
        Vlan(parms=VlanParms(action=Verdict.PIPE, v_action=VlanAction.PUSH), id=100, protocol=0x88A8, priority=3),
    ),
    ("vlan", "pop", Vlan(parms=VlanParms(action=Verdict.PIPE, v_action=VlanAction.POP))),
    (
        "pedit",
        "ex munge ip ttl set 5 pipe",
        Pedit.of(
            [PeditKey(mask=0x00FFFFFF, val=0x05000000, off=8)],
            [PeditKeyEx(htype=PeditHeader.IP4, cmd=PeditCommand.SET)],
        ),
    ),
    (
        "csum",
        "ip4h and tcp and udp pipe",
        Csum(parms=CsumParms(action=Verdict.PIPE, update_flags=CsumFlags.IPV4HDR | CsumFlags.TCP | CsumFlags.UDP)),
    ),
    (
        "tunnel_key",
        "set src_ip 192.0.2.1 dst_ip 192.0.2.2 id 7 dst_port 4789 nocsum tos 4 ttl 64 geneve_opts 0102:80:00880022",
        TunnelKey(
            parms=TunnelKeyParms(action=Verdict.PIPE, t_action=TunnelKeyAction.SET),
            ipv4_src="192.0.2.1",
            ipv4_dst="192.0.2.2",
            key_id=7,
            dst_port=4789,
            no_csum=1,
            tos=4,
            ttl=64,
            options=TunnelKeyOptions(geneve=[TunnelKeyGeneve(opt_class=0x102, type=0x80, data=b"\0\x88\0\x22")]),
        ),
    ),
    (
        "ct",
        "commit zone 5 mark 3/0xff nat src addr 192.0.2.1-192.0.2.9 port 1000-2000",
        Ct(
            parms=parms(),
            action=CtFlags.COMMIT | CtFlags.NAT | CtFlags.NAT_SRC,
            zone=5,
            mark=3,
            mark_mask=0xFF,
            nat_ipv4_min="192.0.2.1",
            nat_ipv4_max="192.0.2.9",
            nat_port_min=1000,
            nat_port_max=2000,
        ),
    ),
    (
        "ctinfo",
        "dscp 0xfc000000 0x01000000 cpmark 0xff zone 3",
        Ctinfo(parms=parms(), dscp_mask=0xFC000000, dscp_statemask=0x01000000, cpmark_mask=0xFF, zone=3),
    ),
    ("bpf", "bytecode 1,6_0_0_4294967295 ok", ActBpf(parms=parms(Verdict.OK), ops_len=1, ops=[ALL_PASS])),
    (
        "nat",
        "egress 192.0.2.0/24 198.51.100.0 pipe",
        Nat(
            parms=NatParms(
                action=Verdict.PIPE,
                old_addr="192.0.2.0",
                new_addr="198.51.100.0",
                mask="255.255.255.0",
                flags=NatFlags.EGRESS,
            )
        ),
    ),
    ("sample", "rate 100 group 5 trunc 64", Sample(parms=parms(), rate=100, psample_group=5, trunc_size=64)),
    ("connmark", "zone 4", Connmark(parms=ConnmarkParms(action=Verdict.PIPE, zone=4))),
    (
        "mpls",
        "push protocol mpls_uc label 123 tc 3 ttl 64 bos 1",
        Mpls(
            parms=MplsParms(action=Verdict.PIPE, m_action=MplsAction.PUSH),
            proto=0x8847,
            label=123,
            tc=3,
            ttl=64,
            bos=1,
        ),
    ),
    (
        "skbmod",
        "set dmac 02:00:00:00:00:01 etype 0x800",
        Skbmod(parms=SkbmodParms(action=Verdict.PIPE), dmac="02:00:00:00:00:01", etype=0x800),
    ),
    (
        "gate",
        "priority 1 base-time 0 clockid CLOCK_TAI sched-entry open 200000000 -1 8000000 "
        "sched-entry close 100000000 -1 -1",
        Gate(
            parms=parms(),
            priority=1,
            base_time=0,
            clockid=CLOCK_TAI,
            entries=[
                GateEntry(gate=True, interval=200000000, ipv=-1, max_octets=8000000),
                GateEntry(interval=100000000, ipv=-1, max_octets=-1),
            ],
        ),
    ),
    (
        "ife",
        "encode type 0xED3E allow mark dst 02:00:00:00:00:02",
        Ife(
            parms=IfeParms(action=Verdict.PIPE, flags=IfeFlags.ENCODE),
            type=0xED3E,
            metalist=IfeMeta(skbmark=b""),
            dmac="02:00:00:00:00:02",
        ),
    ),
    ("simple", "sdata hello", Simple(parms=parms(), data="hello")),
]


def words(args: str) -> list[str]:
    """The arguments of tc: an underscore is a blank within one that begins with a digit and a comma."""
    return [word.replace("_", " ") if word[1:2] == "," else word for word in args.split()]


def timeless(value: Any) -> Any:
    """A value of `to_dict` without the ages of actions, and the numbers that the kernel gave them."""
    if isinstance(value, dict):
        parts = {name: item for name, item in value.items() if name not in ("tm", "stats", "used_hw_stats", "index")}
        return {name: item[4:] if name == "parms_ex" else timeless(item) for name, item in parts.items()}
    return [timeless(item) for item in value] if isinstance(value, (list, tuple)) else value


def compare_filters(rt: Any, request: Filter, args: list[str], plain_text: bool = False) -> Any:
    """Have tc and us make the same filter, one after the other; the record of ours."""
    parent = Handle(request.parent)
    place = ["dev", "d0", "parent", f"{parent.major:x}:{parent.minor:x}"]
    tc("filter", "add", *place, *args)
    (theirs,) = [f for f in rt.dump(Filter, index=request.index, parent=request.parent) if is_filter(f)]
    show = (lambda: text("filter", *place)) if plain_text else (lambda: shown("filter", *place))
    shown_theirs = show()
    assert unknown(theirs) == []
    rt.delete(theirs.replace(header=theirs.header.replace(handle=0)) if theirs.kind == "cgroup" else theirs)
    assert not [f for f in rt.dump(Filter, index=request.index, parent=request.parent) if is_filter(f)]
    rt.create(request)
    (ours,) = [f for f in rt.dump(Filter, index=request.index, parent=request.parent) if is_filter(f)]
    assert unknown(ours) == []
    assert timeless(ours.options.to_dict()) == timeless(theirs.options.to_dict())
    assert show() == shown_theirs
    assert (ours.priority, ours.protocol, ours.kind) == (theirs.priority, theirs.protocol, theirs.kind)
    return ours


def is_filter(found: Filter) -> bool:
    """Whether this is a filter, and no hash table of u32 and no head of a kind."""
    if found.kind == "u32":
        return isinstance(found.options, U32) and found.options.sel is not None
    return bool(found.options) if found.kind != "cgroup" else found.handle != 0


@pytest.mark.parametrize(("kind", "args", "record"), ACTIONS, ids=[f"{kind}-{args[:12]}" for kind, args, _ in ACTIONS])
def test_actions_are_those_of_tc(rt: Any, device: int, kind: str, args: str, record: Any) -> None:
    require("matchall", kind)
    rt.create(Qdisc(index=device, kind="clsact", parent="clsact"))
    request = Filter(
        index=device,
        parent=Handle.CLSACT_INGRESS,
        priority=10,
        protocol=ETH_P_IP,
        options=Matchall(actions=[Action(options=record, cookie=b"\1\2")]),
    )
    args_ = ["protocol", "ip", "pref", "10", "matchall", "action", kind, *words(args), "cookie", "0102"]
    ours = compare_filters(rt, request, args_)
    (action,) = ours.options.actions
    assert (action.kind, action.order, action.cookie) == (kind, 1, b"\1\2")
    assert action.stats.basic.packets == 0
    assert action.options.__class__ is record.__class__


FILTERS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "u32",
        "match ip dst 192.0.2.0/24 match ip dport 53 0xffff classid 1:10",
        options(
            U32.of(
                [U32Key(mask=0xFFFFFF00, val=0xC0000200, off=16), U32Key(mask=0xFFFF, val=53, off=20)],
                classid="1:10",
            )
        ),
    ),
    (
        "flower",
        "ip_proto tcp src_ip 192.0.2.0/24 dst_ip 198.51.100.1 dst_port 443 src_port 1000-2000 tcp_flags 0x2/0x12 "
        "ip_tos 4/0xfc ip_ttl 64 dst_mac 02:00:00:00:00:01 ct_state +trk+est ct_zone 3 ip_flags frag classid 1:10",
        options(
            Flower(
                eth_type=ETH_P_IP,
                ip_proto=6,
                ipv4_src="192.0.2.0",
                ipv4_src_mask="255.255.255.0",
                ipv4_dst="198.51.100.1",
                tcp_dst=443,
                port_src_min=1000,
                port_src_max=2000,
                tcp_flags=2,
                tcp_flags_mask=0x12,
                ip_tos=4,
                ip_tos_mask=0xFC,
                ip_ttl=64,
                eth_dst="02:00:00:00:00:01",
                ct_state=FlowerCtState.TRACKED | FlowerCtState.ESTABLISHED,
                ct_state_mask=FlowerCtState.TRACKED | FlowerCtState.ESTABLISHED,
                ct_zone=3,
                key_flags=FlowerFlags.IS_FRAGMENT,
                key_flags_mask=FlowerFlags.IS_FRAGMENT,
                classid="1:10",
            )
        ),
    ),
    (
        "flower",
        "enc_key_id 7 enc_dst_ip 192.0.2.1 enc_dst_port 4789 enc_tos 4 geneve_opts 0102:80:00880022",
        options(
            Flower(
                eth_type=ETH_P_IP,
                enc_key_id=7,
                enc_ipv4_dst="192.0.2.1",
                enc_udp_dst_port=4789,
                enc_ip_tos=4,
                enc_opts=FlowerTunnelOptions(geneve=[FlowerGeneve(opt_class=0x102, type=0x80, data=b"\0\x88\0\x22")]),
                enc_opts_mask=FlowerTunnelOptions(
                    geneve=[FlowerGeneve(opt_class=0xFFFF, type=0xFF, data=b"\xff\xff\xff\xff")]
                ),
            )
        ),
    ),
    ("matchall", "classid 1:10", options(Matchall(classid="1:10"))),
    ("fw", "handle 0x10/0xff classid 1:10", options(Fw(classid="1:10", mask=0xFF), handle=0x10)),
    ("bpf", "bytecode 1,6_0_0_4294967295 classid 1:10", options(Bpf(ops_len=1, ops=[ALL_PASS], classid="1:10"))),
    (
        "basic",
        "match u32(u32_0x01020304_0xffffffff_at_12) classid 1:10",
        options(
            Basic(
                ematches=EmatchTree.of(
                    [Ematch(kind=EmatchKind.U32, data=U32Match(mask=0xFFFFFFFF, val=0x01020304, off=12).encode())]
                ),
                classid="1:10",
            )
        ),
    ),
    (
        "flow",
        "hash keys src,dst divisor 16 baseclass 1:1 perturb 10",
        options(Flow(keys=FlowKeys.SRC | FlowKeys.DST, mode=FlowMode.HASH, divisor=16, baseclass="1:1", perturb=10)),
    ),
    ("route", "from 2 to 5 classid 1:10", options(Route4(from_=2, to=5, classid="1:10"), handle=0x20005)),
    ("cgroup", "action drop", options(Cgroup(actions=[Action(options=Gact(parms=parms(Verdict.SHOT)))]))),
]


@pytest.mark.parametrize(("kind", "args", "fields"), FILTERS, ids=[f"{kind}-{args[:8]}" for kind, args, _ in FILTERS])
def test_filters_are_those_of_tc(rt: Any, device: int, kind: str, args: str, fields: dict[str, Any]) -> None:
    require(kind)
    rt.create(Qdisc(index=device, parent="root", handle="1:", options=Htb.qdisc()))
    rt.create(Class(index=device, parent="1:", handle="1:10", options=Htb.of("10mbit")))
    request = Filter(index=device, parent="1:", priority=10, protocol=ETH_P_IP, **fields)
    arguments = ["protocol", "ip", "pref", "10"]
    given = [word.replace("_", " ") if word.startswith("u32(") else word for word in words(args)]
    if given[0] == "handle":
        arguments, given = [*arguments, *given[:2]], given[2:]
    if kind in {"cgroup", "flow"}:
        arguments += ["handle", "1"]
        request = request.replace(handle=1)
    compare_filters(rt, request, [*arguments, kind, *given], plain_text=kind in {"basic", "flow", "cgroup"})


def test_verbs_of_filters_refuse_what_hurts(rt: Any, device: int) -> None:
    require("clsact", "u32")
    rt.create(Qdisc(index=device, kind="clsact", parent="clsact"))
    base = {"index": device, "parent": Handle.CLSACT_INGRESS}
    for protocol in (ETH_P_IP, ETH_P_ALL):
        rt.create(Filter(**base, priority=protocol & 7 or 9, protocol=protocol, options=U32.of([], classid="1:1")))
    with pytest.raises(ValueError, match="takes priority= and protocol="):
        rt.delete(Filter(**base))
    with pytest.raises(ValueError, match="takes protocol="):
        rt.create(Filter(**base, kind="u32"))
    with pytest.raises(ValueError, match="takes index="):
        rt.create(Qdisc(parent="root", kind="pfifo"))
    assert {f.protocol for f in rt.dump(Filter, **base)} == {ETH_P_IP, ETH_P_ALL}
    assert {f.protocol for f in rt.dump(Filter, **base, protocol=ETH_P_IP)} == {ETH_P_IP}
    (one,) = [f for f in rt.dump(Filter, **base, protocol=ETH_P_IP) if is_filter(f)]
    assert rt.get(one).options.keys == one.options.keys
    rt.delete(one)
    assert {f.protocol for f in rt.dump(Filter, **base) if is_filter(f)} == {ETH_P_ALL}
    assert list(rt.dump(Filter, index=device, parent=Handle.CLSACT_EGRESS)) == []
    with pytest.raises(FileNotFoundError, match="module may be missing"):
        rt.create(Qdisc(index=device, parent="root", kind="nosuchkind"))


def test_chains_and_tables_of_actions(rt: Any, device: int) -> None:
    require("matchall", "gact")
    rt.create(Qdisc(index=device, kind="clsact", parent="clsact"))
    rt.create(Chain(index=device, parent=Handle.CLSACT_INGRESS, chain=7))
    assert [chain.chain for chain in rt.dump(Chain, index=device, parent=Handle.CLSACT_INGRESS)] == [7]
    action = Action(options=Gact(parms=Parms(action=Verdict.SHOT, index=99)))
    rt.create(ActionTable(actions=[action]))
    wanted = ActionTable(actions=[Action(kind="gact", index=99)])
    (found,) = rt.get(wanted).actions
    assert (found.kind, found.options.parms.index, found.options.parms.action) == ("gact", 99, Verdict.SHOT)
    tables = rt.dump(ActionTable, actions=[Action(kind="gact")])
    assert [a.options.parms.index for table in tables for a in table.actions or ()] == [99]
    assert json.loads(tc("-j", "actions", "list", "action", "gact"))[1]["actions"][0]["index"] == 99
    rt.delete(wanted)
    assert not [a for table in rt.dump(ActionTable, actions=[Action(kind="gact")]) for a in table.actions or ()]
