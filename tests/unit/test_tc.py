"""Traffic control without a kernel: numbers and structs of the headers, handles, rates, refusals, and bytes."""

from __future__ import annotations

import copy
import importlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from netlink.route import tc
from netlink.route.tc import Action, Class, Filter, Handle, Qdisc
from netlink.schema import AttributeSet, Struct
from probe import c_layout, c_names, c_values

HEADERS = [
    "linux/rtnetlink.h",
    "linux/pkt_sched.h",
    "linux/pkt_cls.h",
    "linux/gen_stats.h",
    "linux/ife.h",
    *(
        f"linux/tc_act/tc_{name}.h"
        for name in [
            "bpf",
            "connmark",
            "csum",
            "ct",
            "ctinfo",
            "defact",
            "gact",
            "gate",
            "ife",
            "mirred",
            "mpls",
            "nat",
            "pedit",
            "sample",
            "skbedit",
            "skbmod",
            "tunnel_key",
            "vlan",
        ]
    ),
    *(f"linux/tc_ematch/tc_em_{name}.h" for name in ("cmp", "meta", "nbyte")),
]
MODULES = [
    importlib.import_module(f"netlink.route.tc.{name}")
    for name in ["actions", "ematch", "filters", "flower", "handle", "kinds", "qdiscs", "rates", "records", "stats"]
]
# What the headers of this package's oldest tests do not have yet.
YOUNGER = re.compile(r"TC(A)?_DUALPI2_\w+|TCA_FQ_OFFLOAD_HORIZON|TCM_IFINDEX_MAGIC_BLOCK|FLOW_KEY_\w+|TC_ETF_\w+")


def declared_numbers(module: ModuleType) -> Iterator[tuple[str, int]]:
    """The UAPI names beside fields and members of enums, and their numbers."""
    assert module.__file__ is not None
    scope: Any = None
    for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(module, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = .*?  # ((?:[A-Z][A-Z0-9_]+(?:, )?)+)(?:,|$)", line):
            names = match[2].rstrip(", ").split(", ")
            if issubclass(scope, AttributeSet):
                (first, _), *_others = scope.__fields__[match[1]].types
                yield from zip(names, first, strict=False)
            elif len(names) == 1:
                number = int(scope[match[1]])
                yield names[0], number.bit_length() - 1 if scope is tc.FlowKeys else number


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_numbers_are_the_headers(module: ModuleType) -> None:
    wanted = dict(declared_numbers(module))
    known = {name for name in c_names(HEADERS, r"\w+") if name in wanted}
    assert {name for name in set(wanted) - known if not YOUNGER.fullmatch(name)} == set()
    assert {name: wanted[name] & 0xFFFFFFFF for name in known} == {
        name: value & 0xFFFFFFFF for name, value in c_values(HEADERS, sorted(known)).items()
    }


def test_nothing_of_the_headers_is_missing() -> None:
    declared = {name for module in MODULES for name, _ in declared_numbers(module)}
    pattern = (
        r"TCA_(?!.*(UNSPEC|MAX|PAD$|INVALID))(ACT_[A-Z]+|U32|FLOWER|BASIC|BPF|FLOW|FW|HTB|TBF|NETEM|CAKE|FQ|RED)\w*"
    )
    theirs = {
        name for name in c_names(HEADERS, pattern) if not re.search(r"NOBIND|UNBIND|REPLACE|OLD|_BIND|ACT_TAB", name)
    }
    beside = re.compile(
        r"TCA_ACT_(GACT|IPT|PEDIT|MIRRED|NAT|XT|SKBEDIT|VLAN|CONNMARK|SKBMOD|CSUM|SIMP|IFE|SAMPLE|TUNNEL_KEY|BPF)"
        r"|TCA_FQ_CODEL_XSTATS_\w+|TCA_(CAKE|FLOWER)_\w*(PAD|FLAGS_RANGE)|TCA_NETEM_LOSS|TCA_ACT_FLAGS|TCA_RED_HISTORIC\w*"
        r"|TCA_ACT_OPTIONS|TCA_FLOWER_KEY_MPLS_OPTS(_LSE)?"  # on lines of their own
    )
    assert {name for name in theirs - declared if not beside.fullmatch(name)} == set()


STRUCTS: dict[str, type[Struct]] = {
    "tcmsg": tc.QdiscMsg,
    "tcamsg": tc.ActionMsg,
    "tc_ratespec": tc.RateSpec,
    "tc_sizespec": tc.SizeSpec,
    "tc_stats": tc.OldStats,
    "gnet_stats_basic": tc.BasicStats,
    "gnet_stats_queue": tc.QueueStats,
    "gnet_stats_rate_est64": tc.RateStats64,
    "tc_prio_qopt": tc.Prio,
    "tc_plug_qopt": tc.Plug,
    "tc_tbf_qopt": tc.TbfParms,
    "tc_htb_opt": tc.HtbParms,
    "tc_htb_glob": tc.HtbGlob,
    "tc_htb_xstats": tc.HtbStats,
    "tc_hfsc_stats": tc.HfscStats,
    "tc_service_curve": tc.ServiceCurve,
    "tc_sfq_qopt_v1": tc.Sfq,
    "tc_sfb_qopt": tc.SfbParms,
    "tc_sfb_xstats": tc.SfbStats,
    "tc_red_qopt": tc.RedParms,
    "tc_choke_qopt": tc.RedParms,
    "tc_choke_xstats": tc.ChokeStats,
    "tc_gred_qopt": tc.GredParms,
    "tc_gred_sopt": tc.GredSetup,
    "tc_codel_xstats": tc.CodelStats,
    "tc_fq_codel_xstats": tc.FqCodelStats,
    "tc_hhf_xstats": tc.HhfStats,
    "tc_pie_xstats": tc.PieStats,
    "tc_fq_pie_xstats": tc.FqPieStats,
    "tc_netem_qopt": tc.NetemParms,
    "tc_netem_slot": tc.NetemSlot,
    "tc_netem_rate": tc.NetemRate,
    "tc_netem_gimodel": tc.NetemGIModel,
    "tc_etf_qopt": tc.EtfParms,
    "tc_cbs_qopt": tc.CbsParms,
    "tc_police": tc.PoliceParms,
    "tcf_t": tc.ActionTimes,
    "tc_gact": tc.Parms,
    "tc_gact_p": tc.GactProb,
    "tc_connmark": tc.ConnmarkParms,
    "tc_csum": tc.CsumParms,
    "tc_ife": tc.IfeParms,
    "tc_mirred": tc.MirredParms,
    "tc_mpls": tc.MplsParms,
    "tc_nat": tc.NatParms,
    "tc_pedit_key": tc.PeditKey,
    "tc_pedit_sel": tc.PeditSelector,
    "tc_skbmod": tc.SkbmodParms,
    "tc_tunnel_key": tc.TunnelKeyParms,
    "tc_vlan": tc.VlanParms,
    "tc_u32_key": tc.U32Key,
    "tc_u32_sel": tc.U32Selector,
    "tc_u32_mark": tc.U32Mark,
    "tc_basic_pcnt": tc.BasicCounters,
    "tcf_ematch_hdr": tc.EmatchHeader,
    "tcf_em_cmp": tc.CmpMatch,
    "tcf_em_nbyte": tc.NbyteMatch,
}


def test_structs_are_as_long_as_the_headers() -> None:
    sizes = c_layout(HEADERS, {f"struct {name}": [] for name in STRUCTS})
    ours = {f"struct {name}": len(cls().encode()) for name, cls in STRUCTS.items()}
    assert ours == {name: layout.size for name, layout in sizes.items()}
    # Padded to the attributes behind it.
    assert (
        len(tc.MqprioMap().encode())
        == c_layout(HEADERS, {"struct tc_mqprio_qopt": []})["struct tc_mqprio_qopt"].size + 2
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [("1:", 0x10000), ("1:10", 0x10010), (":f", 0xF), ("ffff:fff3", 0xFFFFFFF3), ("8001:", 0x80010000)],
)
def test_handles_are_text_and_number(text: str, number: int) -> None:
    handle = Handle(text)
    assert handle == number
    assert hash(handle) == hash(number)
    assert Handle(str(handle)) == Handle(number) == handle
    assert (handle.major, handle.minor) == (number >> 16, number & 0xFFFF)
    assert pickle.loads(pickle.dumps(handle)) == copy.deepcopy(handle) == handle
    assert Qdisc(index=1, parent=text).parent == Class(index=1, parent=number).parent == handle


def test_handles_have_names() -> None:
    assert [str(Handle(name)) for name in ("root", "none", "ingress", "clsact")] == [
        "root",
        "none",
        "ingress",
        "ingress",
    ]
    assert str(Handle("1:10")) == "1:10"
    assert Qdisc(parent="1:10").to_dict(json=True)["header"]["parent"] == "1:10"


@pytest.mark.parametrize("text", ["", ":", "1", "1:10:5", "g:1", "12345:", "1:12345", -1, 1 << 32, None])
def test_what_is_no_handle_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="Handle"):
        Handle(text)


@pytest.mark.parametrize("text", ["800:", "800::801", "1:ff:fff", "fff:5"])
def test_handles_of_u32(text: str) -> None:
    assert tc.u32_handle_text(tc.u32_handle(text)) == text


def test_rates() -> None:
    wanted = {
        "8bit": 1,
        "10mbit": 1_250_000,
        "1.5mbps": 1_500_000,
        "1kibit": 128,
        "80gbit": 10**10,
        " 1Gbit ": 125 * 10**6,
    }
    assert {text: tc.bytes_per_second(text) for text in wanted} == wanted
    for wrong in ("", "10", "10 m", "-1mbit", "1bit", 0, -1, 1 << 64):
        with pytest.raises(ValueError, match="a rate is"):
            tc.bytes_per_second(wrong)
    # 1,250,000 bytes are a second at 10mbit: 15,625,000 ticks of 64 ns.
    assert tc.ticks(1_250_000, "10mbit") == 15_625_000
    assert tc.size_of_ticks(15_625_000, "10mbit") == 1_250_000
    assert tc.ticks(1, 10**9) == 1
    with pytest.raises(ValueError, match="32 bits do not hold"):
        tc.ticks(1 << 32, 1)
    assert tc.RateSpec.of("80gbit").rate == 0xFFFFFFFF
    assert tc.Htb.of("80gbit").rate64 == 10**10
    assert tc.Htb.of("10mbit").rate64 is None
    table = memoryview(tc.rate_table(tc.RateSpec.of("10mbit"), "10mbit")).cast("I")
    assert len(table) == 256
    assert table[0] == tc.ticks(8, "10mbit")
    assert table[255] == tc.ticks(2048, "10mbit")
    atm = memoryview(tc.rate_table(tc.RateSpec.of("10mbit", linklayer=tc.LinkLayer.ATM), "10mbit")).cast("I")
    assert atm[0] == tc.ticks(53, "10mbit")
    assert [tc.probability(p) for p in (0, 0.5, 1)] == [0, 0x80000000, 0xFFFFFFFF]
    with pytest.raises(ValueError, match="from 0 to 1"):
        tc.probability(1.1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tc.Tbf.of("1mbit", 100), "limit= or latency_us="),
        (lambda: tc.Tbf.of("1mbit", 100, limit=9, mtu=5), "peakrate= and mtu="),
        (lambda: tc.Police.of(), "rate= or packets="),
        (lambda: tc.Police.of("1mbit"), "a burst of at least 1"),
        (lambda: tc.goto_chain(1 << 28), "28 bits"),
        (lambda: tc.MqprioMap.of([0, 1], [(1, 0)]), "priorities"),
        (lambda: tc.Pedit.of([tc.PeditKey()], []), "a PeditKeyEx for each"),
        (lambda: tc.red_parms(100, 50, 20, packet=1, burst=2), "qth_min < qth_max"),
        (lambda: tc.u32_handle("800::801::1"), "a handle of a u32 filter"),
    ],
)
def test_helpers_refuse(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_the_kind_is_that_of_the_options() -> None:
    assert Qdisc(options=tc.FqCodel(limit=5)).kind == "fq_codel"
    assert Action(options=tc.Mirred()).kind == "mirred"
    assert Filter(options=tc.Route4(to=5)).kind == "route"
    assert Qdisc(kind="bfifo", options=tc.Fifo(limit=5)).kind == "bfifo"
    for make, text in (
        (lambda: Qdisc(options=tc.Fifo(limit=5)), "want kind= 'bfifo' or 'pfifo'"),
        (lambda: Qdisc(kind="htb", options=tc.Cake()), "the kind 'htb' has options of Htb, not Cake"),
        (lambda: Qdisc(kind="fq_codl", options=tc.FqCodel()), "did you mean 'fq_codel'"),
        (lambda: Qdisc(options=tc.Mirred()), "not a class of options of any kind"),
    ):
        with pytest.raises(TypeError, match=text):
            make()


def test_bytes_stay_bytes_for_other_kinds() -> None:
    made = Qdisc(index=3, kind="newest", options=b"\1\2\3\4")
    assert Qdisc.decode(made.encode()).options == b"\1\2\3\4"
    assert Qdisc.decode(Qdisc(kind="htb", options=tc.Htb.qdisc(5)).encode()).options == tc.Htb.qdisc(5)


def test_a_filter_has_priority_and_protocol_in_one_number() -> None:
    made = Filter(index=3, parent="1:", priority=0x102, protocol=0x800)
    info = int.from_bytes(made.encode()[16:20], "little")
    assert info >> 16 == 0x102
    assert made.encode()[16:18] == b"\x08\x00"
    assert Filter.decode(made.encode()).priority == 0x102
    assert Filter(index=-1, parent=22).block == 22
    assert made.block is None


def test_keys_of_u32_and_pedit() -> None:
    keys = (tc.U32Key(mask=0xFFFFFF00, val=0xC0000200, off=16), tc.U32Key(mask=0xFFFF, val=53, off=20))
    made = tc.U32.of(keys, classid="1:10")
    assert made.sel is not None
    assert made.sel[16:24] == bytes.fromhex("ffffff00c0000200")
    assert made.keys == keys
    assert made.selector == tc.U32Selector(flags=tc.U32Flags.TERMINAL, nkeys=2)
    assert tc.U32(sel=made.sel[:-1]).keys == keys[:1]
    assert tc.U32().keys == ()
    assert tc.U32().selector is None
    change = tc.PeditKey(mask=0x00FFFFFF, val=0x05000000, off=8)
    assert tc.Pedit.of([change]).keys == (change,)
    assert tc.Pedit.of([change], [tc.PeditKeyEx(htype=2, cmd=0)]).selector == tc.PeditSelector(action=3, nkeys=1)


def test_matches_are_numbered() -> None:
    matches = (
        tc.Ematch(kind=tc.EmatchKind.U32, flags=tc.EmatchFlags.AND, data=tc.U32Match(val=1).encode()),
        tc.Ematch(kind=tc.EmatchKind.CMP, data=tc.CmpMatch(val=2).encode()),
    )
    tree = tc.EmatchTree.decode(tc.EmatchTree.of(matches).encode())
    assert tree.matches == matches
    assert tree.tree == tc.EmatchTreeHeader(nmatches=2)
    assert tc.CmpMatch.decode(tree.matches[1].data or b"").val == 2
