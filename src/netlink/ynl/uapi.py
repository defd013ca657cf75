"""Names in the kernel's headers of what specs describe, for the source that `declare` writes.

Most specs have the prefixes of these names, or follow the rules of the kernel's own generator. The tables here are for
the others. In a key, and in the prefix that it gives, a star stands for any text: "tc-*": "TCA_*_". The first key that
fits counts.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["entry_name", "member_name", "operation_prefix", "prefix", "struct_name", "upper"]

# Of attribute sets, without "-attrs", and of enums and flags, by family.
_PREFIXES: Final[dict[str, dict[str, str]]] = {
    "conntrack": {
        "nf-ct-status": "IPS_",
        "nf-ct-tcp-state": "TCP_CONNTRACK_",
        "nf-ct-tcp-flags": "IP_CT_TCP_FLAG_",
        "nf-ct-sctp-state": "SCTP_CONNTRACK_",
        "counter": "CTA_COUNTERS_",
        "conntrack-stats": "CTA_STATS_",
        "nat-proto": "CTA_PROTO",
        "protoinfo-sctp": "CTA_PROTOINFO_SCTP_",
        "protoinfo-*": "CTA_PROTOINFO_",
        "seqadj": "CTA_SEQADJ_",
        "synproxy": "CTA_SYNPROXY_",
        "*": "CTA_",
    },
    "devlink": {"dpipe-header-id": "DEVLINK_DPIPE_HEADER_"},
    "ethtool": {"header-flags": "ETHTOOL_FLAG_", "phy-upstream-type": "PHY_UPSTREAM_"},
    "nftables": {
        "batch": "NFNL_BATCH_",
        "bitwise-ops": "NFT_BITWISE_",
        "chain-flags": "NFT_CHAIN_",
        "cmp-ops": "NFT_CMP_",
        "ct-direction": "IP_CT_DIR_",
        "*-keys": "NFT_*_",
        "fib-flags": "NFTA_FIB_F_",
        "fib-result": "NFT_FIB_RESULT_",
        "lookup-flags": "NFT_LOOKUP_F_",
        "nat-range-flags": "NF_NAT_RANGE_",
        "numgen-types": "NFT_NG_",
        "object-type": "NFT_OBJECT_",
        "payload-base": "NFT_PAYLOAD_",
        "quota-flags": "NFT_QUOTA_F_",
        "range-ops": "NFT_RANGE_",
        "registers": "NFT_",
        "reject-types": "NFT_REJECT_",
        "set-flags": "NFT_SET_",
        "table-flags": "NFT_TABLE_F_",
        "verdict-code": "NF_",
        "expr": "NFTA_EXPR_",
        "expr-list": "NFTA_LIST_",
        "expr-*": "NFTA_*_",
        "hook-dev": "NFTA_DEVICE_",
        "nft-*": "NFTA_*_",
        "set-desc-concat": "NFTA_LIST_",
        "set-list": "NFTA_LIST_",
        "setelem": "NFTA_SET_ELEM_",
        "setelem-list-elem": "NFTA_LIST_",
        "setelem-list": "NFTA_SET_ELEM_LIST_",
        "*": "NFTA_*_",
    },
    "nl80211": {
        "channel-type": "NL80211_CHAN_",
        "commands": "NL80211_CMD_",
        "feature-flags": "NL80211_FEATURE_",
        "protocol-features": "NL80211_PROTOCOL_FEATURE_",
    },
    "nlctrl": {"op-flags": "GENL_", "attr-type": "NL_ATTR_TYPE_"},
    "rt-addr": {"ifa-flags": "IFA_F_"},
    "rt-link": {
        "af-spec": "AF_",
        "hw-s-info-one": "IFLA_OFFLOAD_XSTATS_HW_S_INFO_",
        "ifinfo-flags": "IFF_",
        "ifla": "IFLA_INET_",
        "ifla6": "IFLA_INET6_",
        "ifla-vf-link-state-enum": "IFLA_VF_LINK_STATE_",
        "ifla-vlan-qos": "IFLA_VLAN_QOS_",
        "link-dpll-pin": "DPLL_A_PIN_",
        "link-offload-xstats": "IFLA_OFFLOAD_XSTATS_",
        "linkinfo": "IFLA_INFO_",
        "netkit-scrub": "NETKIT_SCRUB_",
        "netkit-*": "NETKIT_",
        "ovpn-mode": "OVPN_MODE_",
        "vf-ports": "IFLA_VF_",
        "vf-stats": "IFLA_VF_STATS_",
        "vf-vlan": "IFLA_VF_VLAN_",
        "vfinfo*": "IFLA_VF_",
        "vlan-flags": "VLAN_FLAG_",
        "vlan-protocols": "ETH_P_",
        "xdp": "IFLA_XDP_",
    },
    "rt-neigh": {
        "ntf-ext-flags": "NTF_EXT_",
        "ntf-flags": "NTF_",
        "nud-state": "NUD_",
        "rtm-type": "RTN_",
    },
    "tc": {
        "cls-flags": "TCA_CLS_FLAGS_",
        "tc-cls-flags": "TCA_CLS_FLAGS_",
        "dualpi2-*": "TC_DUALPI2_*_",
        "tc-act": "TCA_ACT_",
        "tc-act-bpf": "TCA_ACT_BPF_",
        "tc-act-simple": "TCA_DEF_",
        "tc-act-*": "TCA_*_",
        "tc-ematch": "TCA_EMATCH_",
        "tc-flower-key-mpls-opt": "TCA_FLOWER_KEY_MPLS_OPT_",
        "tc-netem-loss": "NETEM_LOSS_",
        "tc-route": "TCA_ROUTE4_",
        "tc-taprio-sched-entry-list": "TCA_TAPRIO_SCHED_",
        "tc-taprio-sched-entry": "TCA_TAPRIO_SCHED_ENTRY_",
        "tc-taprio-tc-entry": "TCA_TAPRIO_TC_ENTRY_",
        "tc-taprio": "TCA_TAPRIO_ATTR_",
        "tca-gred-vq-*": "TCA_GRED_VQ_",
        "tca-*": "TCA_*_",
        "tc": "TCA_",
        "tc-*": "TCA_*_",
    },
}
# Of single entries, as "set.attribute" and "enum.entry"; "" if the headers have no name.
_ENTRIES: Final[dict[str, dict[str, str]]] = {
    "conntrack": {
        "counter.bytes-old": "CTA_COUNTERS32_BYTES",
        "counter.packets-old": "CTA_COUNTERS32_PACKETS",
        "nf-ct-sctp-state.cloned": "SCTP_CONNTRACK_CLOSED",
        "nf-ct-sctp-state.shutdown-heartbeat-sent": "SCTP_CONNTRACK_HEARTBEAT_SENT",
        "nf-ct-sctp-state.shutdown-received": "SCTP_CONNTRACK_SHUTDOWN_RECD",
        "nf-ct-status.nat-clash": "IPS_UNTRACKED",
        "nf-ct-status.seq-adj": "IPS_SEQ_ADJUST",
        "nf-ct-tcp-flags.challenge-ack": "IP_CT_EXP_CHALLENGE_ACK",
        "nf-ct-tcp-flags.close-init": "IP_CT_TCP_FLAG_CLOSE_INIT",
        "nf-ct-tcp-flags.maxack": "IP_CT_TCP_FLAG_MAXACK_SET",
        "nf-ct-tcp-flags.simultaneous-open": "IP_CT_TCP_SIMULTANEOUS_OPEN",
        "nf-ct-tcp-flags.unacked": "IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED",
        "operations.get-stats": "IPCTNL_MSG_CT_GET_STATS_CPU",
        "protoinfo-sctp.sctp-state": "CTA_PROTOINFO_SCTP_STATE",
        "protoinfo.protoinfo-dccp": "CTA_PROTOINFO_DCCP",
        "protoinfo.protoinfo-sctp": "CTA_PROTOINFO_SCTP",
        "protoinfo.protoinfo-tcp": "CTA_PROTOINFO_TCP",
    },
    "ethtool": {"c33-pse-ext-state.none": ""},
    "nftables": {
        "ct-keys.ct-id": "NFT_CT_ID",
        "empty.name": "",
        "expr-flow-offload.name": "NFTA_FLOW_TABLE_NAME",
        "groups.mgmt": "NFNLGRP_NFTABLES",
        "lookup-flags.invert": "NFT_LOOKUP_F_INV",
        "meta-keys.l4-proto": "NFT_META_L4PROTO",
        "nft-hook.num": "NFTA_HOOK_HOOKNUM",
        "operations.batch-begin": "NFNL_MSG_BATCH_BEGIN",
        "operations.batch-end": "NFNL_MSG_BATCH_END",
        "quota-flags.invert": "NFT_QUOTA_F_INV",
        **{f"verdict-code.{name}": f"NFT_{name.upper()}" for name in ("continue", "break", "jump", "goto", "return")},
    },
    "nl80211": {
        "commands.unexpected-4-addr-frame": "NL80211_CMD_UNEXPECTED_4ADDR_FRAME",
        "feature-flags.no-random-mac-addr": "NL80211_FEATURE_ND_RANDOM_MAC_ADDR",
        "feature-flags.reserved": "",
        "frequency.no-ibss": "__NL80211_FREQUENCY_ATTR_NO_IBSS",
    },
    "ovs_flow": {"ovs-frag-type.any": "", "ovs-hash-alg.ovs-hash-alg-l4": "OVS_HASH_ALG_L4"},
    "rt-link": {
        "ifinfo-flags.all-multi": "IFF_ALLMULTI",
        "ifinfo-flags.auto-media": "IFF_AUTOMEDIA",
        "ifinfo-flags.no-arp": "IFF_NOARP",
        "ifinfo-flags.no-trailers": "IFF_NOTRAILERS",
        "ifinfo-flags.point-to-point": "IFF_POINTOPOINT",
        "ifla6.icmp6-stats": "IFLA_INET6_ICMP6STATS",
        "linkinfo-bridge.nf-call-ip6-tables": "IFLA_BR_NF_CALL_IP6TABLES",
        "linkinfo-vlan.flag": "IFLA_VLAN_FLAGS",
        "netkit-policy.blackhole": "NETKIT_DROP",
        "netkit-policy.forward": "NETKIT_PASS",
    },
    "tc": {
        f"{prefix}{name}": found
        for prefix in ("tc-", "")
        for name, found in {
            "cls-flags.not-in-nw": "TCA_CLS_FLAGS_NOT_IN_HW",
            "flower-key-ctrl-flags.firstfrag": "TCA_FLOWER_KEY_FLAGS_FRAG_IS_FIRST",
            "flower-key-ctrl-flags.frag": "TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT",
            "flower-key-ctrl-flags.tuncrit": "TCA_FLOWER_KEY_FLAGS_TUNNEL_CRIT_OPT",
            "flower-key-ctrl-flags.tuncsum": "TCA_FLOWER_KEY_FLAGS_TUNNEL_CSUM",
            "flower-key-ctrl-flags.tundf": "TCA_FLOWER_KEY_FLAGS_TUNNEL_DONT_FRAGMENT",
            "flower-key-ctrl-flags.tunoam": "TCA_FLOWER_KEY_FLAGS_TUNNEL_OAM",
        }.items()
    },
}
# Of structs; "" if the headers have none: arrays by an enum, statistics of the kernel's inside, beginnings by a macro.
_STRUCTS: Final[dict[str, dict[str, str]]] = {
    "conntrack": {"nf-ct-tcp-flags-mask": "nf_ct_tcp_flags"},
    "nl80211": {"sta-flag-update": "nl80211_sta_flag_update"},
    "ovs_datapath": {"datapath-stats": "ovs_dp_stats", "megaflow-stats": "ovs_dp_megaflow_stats"},
    "ovs_vport": {"vport-stats": "ovs_vport_stats"},
    "rt-link": dict.fromkeys(("ipv4-devconf", "ipv6-devconf", "ifla-icmp6-stats", "ifla-inet6-stats"), ""),
    "tc": {"tc-gen": ""},
}
# Of members of structs.
_MEMBERS: Final[dict[str, dict[str, str]]] = {
    "nda-cacheinfo": {"*": "ndm_*"},
    "ndt-config": {"*": "ndtc_*"},
    "ndt-stats": {"*": "ndts_*"},
    "ndtmsg": {"family": "ndtm_family"},
    "ovs-dp-megaflow-stats": {"padding": "pad0"},
    "megaflow-stats": {"padding": "pad0"},
    "rtgenmsg": {"family": "rtgen_family"},
    "tc-fq-codel-xstats": {"type": "type", "*": "qdisc_stats.*"},
    "tcmsg": {"*": "tcm_*"},
}
_OPERATIONS: Final[dict[str, str]] = {"conntrack": "IPCTNL_MSG_CT_", "nftables": "NFT_MSG_"}


def upper(name: str) -> str:
    """The form that names of specs have in C: "rx-max" is RX_MAX."""
    return name.upper().replace("-", "_").replace(" ", "_")


def prefix(family: str, of: str) -> str | None:
    """The prefix of the names of a set's attributes, or of an enum's entries; None if the spec has it."""
    return _starred(_PREFIXES.get(family, {}), of.removesuffix("-attrs"), upper)


def entry_name(family: str, of: str, name: str) -> str | None:
    """The name of an attribute of a set, of an entry of an enum, or of one of "operations" and "groups".

    "" if the headers have none; None if it is the prefix and its own name.
    """
    return _ENTRIES.get(family, {}).get(f"{of.removesuffix('-attrs')}.{name}")


def operation_prefix(family: str) -> str | None:
    """The prefix of the names of messages; None if the spec has it."""
    return _OPERATIONS.get(family)


def struct_name(family: str, name: str) -> tuple[str, dict[str, str]]:
    """The name of a struct, "" if the headers have none, and the patterns of its members' names."""
    return _STRUCTS.get(family, {}).get(name, name.replace("-", "_")), _MEMBERS.get(name, {})


def member_name(patterns: Mapping[str, str], name: str) -> str:
    """The name of a member of a struct, by what `struct_name` returned."""
    plain = name.replace("-", "_")
    return _starred(patterns, plain, str) or plain


def _starred(table: Mapping[str, str], name: str, spelled: Callable[[str], str]) -> str | None:
    """What the first key that fits gives. spelled: the form of the text of its star."""
    for key, found in table.items():
        if fnmatchcase(name, key):
            before, _, behind = key.partition("*")
            return found.replace("*", spelled(name[len(before) : len(name) - len(behind)]))
    return None
