"""Changes to the content of a spec: those of the user, and those for mistakes of the kernel's specs.

A change has the form of the spec, with a mapping by name for a list of named things:

    {"attribute-sets": {"link-attrs": {"attributes": {"mtu": {"type": "u32"}}}}}
"""

# The content of a spec has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from netlink.ynl.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["corrected", "merged"]


def _attributes(of: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"attribute-sets": {of: {"attributes": changes}}}


def _numbers(of: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    return _attributes(of, {name: {"value": number} for name, number in numbers.items()})


_ADDRESS4 = {"display-hint": "ipv4"}
_ADDRESS6 = {"display-hint": "ipv6"}
_EITHER = {"type": "binary", "display-hint": "ipv4-or-v6"}
_U8 = {"type": "u8"}
_SEVERAL = {"multi-attr": True}
# Of the kernel's specs by family, where they differ from the kernel. A change to what a spec lacks has no effect, as
# specs of older kernels have less.
_MISTAKES: Final[dict[str, list[dict[str, Any]]]] = {
    "conntrack": [
        _attributes(
            "nat-attrs",
            {
                "nat-v4-minip": _ADDRESS4,
                "nat-v4-maxip": _ADDRESS4,
                "nat-v6-minip": _ADDRESS6,
                "nat-v6-maxip": _ADDRESS6,
            },
        ),
        # CTA_NAT_PROTO lies before CTA_NAT_V6_MINIP.
        _numbers("nat-attrs", {"nat-proto": 3, "nat-v6-minip": 4, "nat-v6-maxip": 5}),
    ],
    "ethtool": [
        # Entries that the spec lacks lie before these.
        {"definitions": {"c33-pse-ext-state": {"entries": {"power-not-available": {"value": 8}}}}},
        {"definitions": {"module-fw-flash-status": {"value-start": 1}}},
        # There is one of these for each pair of a cable, table of tunnels, group of statistics, and range of sizes.
        _attributes("cable-nest", {"result": _SEVERAL, "fault-length": _SEVERAL}),
        _attributes("tunnel-udp", {"table": _SEVERAL}),
        _attributes("stats", {"grp": _SEVERAL}),
        # ETHTOOL_A_STATS_GRP_STAT is a nest of one attribute, whose type is the number of the statistic.
        _attributes("stats-grp", {"hist-rx": _SEVERAL, "hist-tx": _SEVERAL, "stat": {"type": "binary"} | _SEVERAL}),
        # ETHTOOL_A_CABLE_TDR_NEST_*, which is another set.
        _attributes("cable-test-tdr-ntf", {"nest": {"type": "binary", "nested-attributes": None}}),
    ],
    "mptcp_pm": [
        _attributes("address", {"addr4": _ADDRESS4, "addr6": _ADDRESS6}),
        _attributes("event-attr", {"saddr4": _ADDRESS4, "saddr6": _ADDRESS6, "daddr4": _ADDRESS4, "daddr6": _ADDRESS6}),
    ],
    "nftables": [
        # The spec leaves out NFTA_TABLE_PAD, NFTA_CHAIN_PAD, NFTA_RULE_PAD and NFTA_SET_ELEM_PAD, which lie before.
        _numbers("table-attrs", {"userdata": 6}),
        _numbers("chain-attrs", {"flags": 10, "id": 11, "userdata": 12}),
        _numbers("rule-attrs", {"id": 9, "position-id": 10, "chain-id": 11}),
        _numbers("setelem-attrs", {"objref": 9, "key-end": 10, "expressions": 11}),
        # NFTA_LOOKUP_SET_ID lies behind the registers.
        _numbers("expr-lookup-attrs", {"sreg": 2, "dreg": 3, "set id": 4, "flags": 5}),
        {"definitions": {"fib-result": {"value-start": 1}}},
        {"mcast-groups": {"list": {"mgmt": {"value": 7}}}},  # NFNLGRP_NFTABLES
    ],
    # NL_POLICY_TYPE_ATTR_PAD lies before NL_POLICY_TYPE_ATTR_MASK.
    "nlctrl": [_attributes("policy-attrs", {"mask": {"value": 12}, "pad": {"value": 11}})],
    "ovs_flow": [
        _attributes("action-attrs", {"psample": {"value": 25}}),  # OVS_ACTION_ATTR_DROP lies before it
        *(
            {"definitions": {f"ovs-action-{kind}-mpls": {"members": {"mpls-ethertype": {"type": "u16"}}}}}
            for kind in ("add", "push")
        ),
    ],
    "rt-link": [
        # struct ifla_vf_vlan_info, struct ifla_cacheinfo
        {"definitions": {"ifla-vf-vlan-info": {"members": {"vlan-proto": {"type": "u16"}}}}},
        {"definitions": {"ifla-cacheinfo": {"members": {"reachable-time": {"type": "u32"}}}}},
        # br_port_fill_attrs sends each of these flags as a u8.
        _attributes(
            "linkinfo-brport-attrs",
            dict.fromkeys(
                (
                    *("mode", "guard", "protect", "fast-leave", "learning", "unicast-flood", "proxyarp"),
                    *("learning-sync", "proxyarp-wifi", "mcast-flood", "mcast-to-ucast", "vlan-tunnel", "bcast-flood"),
                    *("neigh-suppress", "isolated", "mrp-ring-open", "mrp-in-open", "locked", "mab"),
                    "neigh-vlan-suppress",
                ),
                _U8,
            ),
        ),
    ],
    "rt-route": [
        # struct rta_cacheinfo
        {
            "definitions": {
                "rta-cacheinfo": {
                    "members": [
                        {"name": f"rta-{name}", "type": "s32" if name == "expires" else "u32"}
                        for name in ("clntref", "lastuse", "expires", "error", "used", "id", "ts", "tsage")
                    ]
                }
            }
        }
    ],
    "rt-rule": [_attributes("fib-rule-attrs", {"src": _EITHER, "dst": _EITHER})],
    # struct tc_ratespec, struct tc_etf_qopt
    "tc": [
        {
            "definitions": {
                "tc-ratespec": {
                    "members": {
                        "overhead": {"type": "u16"},
                        "cell-align": {"type": "s16"},
                        "mpu": {"type": "u16"},
                    }
                },
                "tc-etf-qopt": {"members": {"flags": {"type": "u32"}}},
            }
        }
    ],
}

# What older specs leave out altogether.
_MISSING: Final[dict[str, dict[str, Any]]] = {
    "ethtool": {"mcast-groups": {"list": [{"name": "monitor"}]}},  # ETHTOOL_MCGRP_MONITOR_NAME
}


def corrected(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of a spec without the known mistakes."""
    name = str(content.get("name"))
    content = {**_MISSING.get(name, {}), **content}
    for change in _MISTAKES.get(name, ()):
        content = cast("Mapping[str, Any]", _merge(content, change, None, ()))
    return content


def merged(content: Mapping[str, Any], changes: Mapping[str, Any], file: str) -> Mapping[str, Any]:
    """The content with changes: keys of mappings are set, or removed by None; named things are added if need be.

    SpecError for a change of another form.
    """
    return cast("Mapping[str, Any]", _merge(content, changes, file, ()))


def _merge(old: Any, change: Any, file: str | None, key: tuple[str, ...]) -> Any:
    """A changed copy; what has no change is shared. file: for errors; None to ignore what is not there."""
    if isinstance(change, dict):
        changes = cast("dict[str, Any]", change)
        if isinstance(old, list):
            return _merge_list(old, changes, file, key)
        if isinstance(old, dict) or (old is None and file is not None):
            new: dict[str, Any] = dict(cast("dict[str, Any]", old or {}))
            for name, value in changes.items():
                if file is None and isinstance(value, dict) and name not in new:
                    continue
                new[name] = _merge(new.get(name), value, file, (*key, name))
            return {name: value for name, value in new.items() if value is not None or name not in changes}
        if file is not None:
            raise SpecError(file, ".".join(("overrides", *key)), "there is no mapping and no list to change")
        return old
    return change


def _merge_list(old: list[Any], changes: dict[str, Any], file: str | None, key: tuple[str, ...]) -> list[Any]:
    label = "value" if key[:1] == ("sub-messages",) and key[-1:] == ("formats",) else "name"
    new: list[Any] = []
    left = dict(changes)
    for one in old:
        name = one.get(label) if isinstance(one, dict) else one
        if name in left:
            named: dict[str, Any] = one if isinstance(one, dict) else {label: one}
            new.append(_merge(named, left.pop(name), file, (*key, name)))
        else:
            new.append(one)
    if file is not None:
        new += [{label: name, **value} for name, value in left.items() if isinstance(value, dict)]
    return new
