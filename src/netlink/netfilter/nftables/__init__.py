"""nftables: the ruleset as typed records.

    from netlink.netfilter import nftables

    with nftables.dial() as nft:
        for rule in nft.rules():
            print(rule.table, rule.chain, rule.handle, [one.name for one in rule.expressions or ()])
        with nft.transaction() as tx:  # all or nothing
            tx.add(Table(family=Family.INET, name="t"))
            tx.add(Chain(family=Family.INET, table="t", name="in", type="filter", hook=Hook.INPUT, priority=0))

Reading and changing the ruleset needs CAP_NET_ADMIN in the user namespace of the network namespace.
"""

from __future__ import annotations

from netlink.netfilter.nftables import build, expr
from netlink.netfilter.nftables.family import Conn, Ruleset, dial, dial_async
from netlink.netfilter.nftables.keys import Key, KeyRange, KeyType
from netlink.netfilter.nftables.monitor import AnyChange, Commit, Commits, TraceSteps, listen, trace
from netlink.netfilter.nftables.records import (
    ArpHook,
    Chain,
    ChainFlags,
    Command,
    ConcatField,
    CtExpect,
    CtHelper,
    CtTimeout,
    Element,
    ElementFlags,
    ElementList,
    Erspan,
    Event,
    Family,
    Flowtable,
    FlowtableFlags,
    Generation,
    GeneveOption,
    Header,
    Hook,
    NetdevHook,
    Object,
    Policy,
    Rule,
    RuleCompat,
    Secmark,
    Set,
    SetFlags,
    SetPolicy,
    Table,
    TableFlags,
    TCPTimeouts,
    Trace,
    TraceType,
    TunnelFlags,
    TunnelObject,
    UDPTimeouts,
)
from netlink.netfilter.nftables.sets import Entry, Keys, comment, make_set
from netlink.netfilter.nftables.transaction import Failure, Transaction, TransactionError

__all__ = [
    "AnyChange",
    "ArpHook",
    "Chain",
    "ChainFlags",
    "Command",
    "Commit",
    "Commits",
    "ConcatField",
    "Conn",
    "CtExpect",
    "CtHelper",
    "CtTimeout",
    "Element",
    "ElementFlags",
    "ElementList",
    "Entry",
    "Erspan",
    "Event",
    "Failure",
    "Family",
    "Flowtable",
    "FlowtableFlags",
    "Generation",
    "GeneveOption",
    "Header",
    "Hook",
    "Key",
    "KeyRange",
    "KeyType",
    "Keys",
    "NetdevHook",
    "Object",
    "Policy",
    "Rule",
    "RuleCompat",
    "Ruleset",
    "Secmark",
    "Set",
    "SetFlags",
    "SetPolicy",
    "TCPTimeouts",
    "Table",
    "TableFlags",
    "Trace",
    "TraceSteps",
    "TraceType",
    "Transaction",
    "TransactionError",
    "TunnelFlags",
    "TunnelObject",
    "UDPTimeouts",
    "build",
    "comment",
    "dial",
    "dial_async",
    "expr",
    "listen",
    "make_set",
    "trace",
]
