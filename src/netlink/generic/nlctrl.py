"""The controller of generic netlink, which knows all families: their numbers, operations, groups and policies.

    from netlink.generic import nlctrl

    with nlctrl.dial() as ctrl:
        for family in ctrl.list_families():
            print(family.id, family.name, [group.name for group in family.groups or ()])
        policies = ctrl.policies("ethtool")  # what the kernel takes in requests

It needs no privilege.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from netlink import family as _family
from netlink.consts import GenericID, PolicyType
from netlink.family import C, Call, Deferred, Do, Dump, Listen, Steps, verb
from netlink.generic.genetlink import Command, Family, FamilyInfo, GroupInfo, OperationFlags, OperationInfo, lookup
from netlink.schema import AttributeSet, Int, Items, Member, Str, array, key, s64, string, u16, u32, u64

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.schema import Batch

__all__ = [
    "AttributePolicy",
    "Command",
    "Conn",
    "FamilyInfo",
    "GroupInfo",
    "OperationFlags",
    "OperationInfo",
    "OperationPolicy",
    "Policies",
    "PolicyInfo",
    "PolicyRequest",
    "dial",
    "dial_async",
]


class PolicyRequest(AttributeSet):
    """A request for policies: a family by its number or name, and one of its operations; without it, all."""

    id: Int = u16(1)  # CTRL_ATTR_FAMILY_ID
    name: Str = string(2)  # CTRL_ATTR_FAMILY_NAME
    operation: Int = u32(10)  # CTRL_ATTR_OP


class OperationPolicy(AttributeSet):
    """The numbers of the policies of an operation's requests (CTRL_ATTR_POLICY_*).

    operation: its command. The kernel has 0 for every operation that only dumps.
    do, dump: None if it has no such request.
    """

    operation: Int = key()
    do: Int = u32(1)  # CTRL_ATTR_POLICY_DO
    dump: Int = u32(2)  # CTRL_ATTR_POLICY_DUMP


class AttributePolicy(AttributeSet, ignore=(11,)):  # NL_POLICY_TYPE_ATTR_PAD
    """What the kernel takes as an attribute (NL_POLICY_TYPE_ATTR_*).

    policy: the number of the policy. attribute: the type of the attribute. type: of its payload.
    min_signed, max_signed, min_value, max_value: range of an integer. min_length, max_length: bytes of the payload.
    nested: the number of the policy of the attributes in it. max_nested: the greatest type of these.
    bits, mask: what a bitfield and an integer may have set.
    """

    policy: Int = key(0)
    attribute: Int = key(1)
    type: Member[PolicyType] = u32(1, enum=PolicyType)  # NL_POLICY_TYPE_ATTR_TYPE
    min_signed: Int = s64(2)  # NL_POLICY_TYPE_ATTR_MIN_VALUE_S
    max_signed: Int = s64(3)  # NL_POLICY_TYPE_ATTR_MAX_VALUE_S
    min_value: Int = u64(4)  # NL_POLICY_TYPE_ATTR_MIN_VALUE_U
    max_value: Int = u64(5)  # NL_POLICY_TYPE_ATTR_MAX_VALUE_U
    min_length: Int = u32(6)  # NL_POLICY_TYPE_ATTR_MIN_LENGTH
    max_length: Int = u32(7)  # NL_POLICY_TYPE_ATTR_MAX_LENGTH
    nested: Int = u32(8)  # NL_POLICY_TYPE_ATTR_POLICY_IDX
    max_nested: Int = u32(9)  # NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE
    bits: Int = u32(10)  # NL_POLICY_TYPE_ATTR_BITFIELD32_MASK
    mask: Int = u64(12)  # NL_POLICY_TYPE_ATTR_MASK


class PolicyInfo(AttributeSet):
    """A part of the policies of a family: the kernel sends one operation or one attribute in each."""

    id: Int = u16(1)  # CTRL_ATTR_FAMILY_ID
    attributes: Items[AttributePolicy] = array(8, AttributePolicy, depth=2)  # CTRL_ATTR_POLICY
    operations: Items[OperationPolicy] = array(9, OperationPolicy)  # CTRL_ATTR_OP_POLICY


class Policies(NamedTuple):
    """The policies of a family.

    operations: its operations. attributes: by the number of their policy, and then by their type.
    """

    operations: tuple[OperationPolicy, ...]
    attributes: dict[int, dict[int, AttributePolicy]]

    def of(self, operation: int, *, dump: bool = False) -> dict[int, AttributePolicy]:
        """The attributes of a request, by their type. KeyError if the operation has no such request or policy."""
        for each in self.operations:
            number = each.dump if dump else each.do
            if each.operation == operation and number is not None:
                return self.attributes[number]
        raise KeyError(operation)


_MISSING = "there is no generic netlink family of that name or number here"


class Conn(Family[C], name="nlctrl", version=2, id=GenericID.CTRL):
    """Requests to the controller. They need no privilege."""

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get = Do(
        Command.GETFAMILY,
        FamilyInfo,
        FamilyInfo,
        answer=Command.NEWFAMILY,
        hints={errno.ENOENT: _MISSING},
        doc="A family, by its `id` or `name`: the operation of `get_family`.",
    )
    list_families = Dump(Command.GETFAMILY, None, FamilyInfo, doc="All families of the network namespace.")
    listen = Listen(
        {
            Command.NEWFAMILY: (FamilyInfo, Command.NEWFAMILY),
            Command.DELFAMILY: (FamilyInfo, Command.DELFAMILY),
            Command.NEWMCAST_GRP: (FamilyInfo, Command.NEWMCAST_GRP),
            Command.DELMCAST_GRP: (FamilyInfo, Command.DELMCAST_GRP),
        },
        groups=["notify"],
        state=list_families,
        doc="Families and groups that come and go, as modules are loaded and removed.",
    )

    dump_policies = Dump(
        Command.GETPOLICY,
        PolicyRequest,
        PolicyInfo,
        answer=Command.GETPOLICY,
        hints={errno.ENODATA: "the family or operation has no policies", errno.ENOENT: _MISSING},
        doc="The policies of a family in parts: the operation of `policies`.",
    )

    @verb
    def policies(self: Conn[Deferred], name: str | int, operation: int | None = None) -> Steps[Policies]:
        """The policies of a family, by its name or number: which attributes the kernel takes in which requests.

        operation: a command, for its policies alone. OpError: ENODATA if there are none.
        """
        request = PolicyRequest(operation=operation)
        request = request.replace(id=name) if isinstance(name, int) else request.replace(name=name)
        parts: Batch[PolicyInfo] = yield self.dump_policies(request)
        found = Policies(tuple(each for part in parts for each in part.operations or ()), {})
        for part in parts:
            for each in part.attributes or ():
                found.attributes.setdefault(each.policy or 0, {})[each.attribute or 0] = each
        return found

    @verb
    def get_family(self: Conn[Deferred], name: str | int) -> Call[FamilyInfo]:
        """The family of a name or number. FileNotFoundError if there is none: the kernel tries to load its module."""
        return self.get(id=name) if isinstance(name, int) else lookup(name)


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to the controller. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to the controller for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
