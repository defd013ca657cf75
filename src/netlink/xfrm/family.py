"""Requests to xfrm and its events: `Conn`, `dial` and `dial_async`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

from netlink import family as _family
from netlink.consts import Family, HeaderFlags, XfrmGroup
from netlink.family import C, Deferred, Do, Dump, Listen
from netlink.stream import Kind
from netlink.xfrm.records import (
    Acquire,
    Command,
    Counters,
    Defaults,
    DeletedPolicy,
    DeletedState,
    Event,
    ExpiredPolicy,
    ExpiredState,
    FlushedPolicies,
    FlushedStates,
    Mapping,
    Migration,
    Policy,
    PolicyID,
    PolicyInfo,
    Report,
    SpiRequest,
    State,
    StateFilter,
    StateID,
    StateInfo,
)

if TYPE_CHECKING:
    from collections import abc
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

_NO_STATE = {errno.ESRCH: "there is no such state"}
_NO_POLICY = {errno.ENOENT: "there is no such policy"}


class Conn(_family.Family[C], protocol=Family.XFRM):
    """Requests to xfrm over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads, tasks,
    closing and errors.

    A request takes a record, or the fields of one. Every method raises OpError: PermissionError without CAP_NET_ADMIN
    in the user namespace of the network namespace.
    """

    hints: ClassVar[abc.Mapping[int, str]] = {
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the network namespace",
        errno.EPROTONOSUPPORT: "the kernel lacks this protocol or mode: it needs a module such as esp4 or esp6",
        errno.ENOSYS: "the kernel lacks an algorithm: it needs a module such as gcm or authenc",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    # States

    states = Dump(
        Command.GETSA,
        StateFilter,
        State,
        doc="All states, or those of a protocol or between addresses: a `Batch` of `State`, with their keys.",
    )
    get_state = Do(Command.GETSA, StateID, State, hints=_NO_STATE, doc="A state, with its key and counters.")
    create_state = Do(
        Command.NEWSA,
        State,
        hints={errno.EEXIST: "there is a state of this destination, SPI and protocol"},
        doc="Add a state. FileExistsError if there is one of this destination, SPI and protocol.",
    )
    update_state = Do(
        Command.UPDSA,
        State,
        hints=_NO_STATE,
        doc="Complete a state that `allocate_spi` has made, or change the lifetime and encapsulation of one.",
    )
    delete_state = Do(Command.DELSA, StateID, hints=_NO_STATE, doc="Delete a state: `delete_state(state.id)`.")
    flush_states = Do(Command.FLUSHSA, FlushedStates, doc="Delete the states of a protocol; by default all.")
    allocate_spi = Do(
        Command.ALLOCSPI,
        SpiRequest,
        State,
        hints={errno.ENOENT: "no SPI of this range is free"},
        doc="Make a state that has an SPI alone, for packets that come in. It waits for its keys some 30 seconds.",
    )
    counters = Do(Command.GETAE, Counters, Counters, hints=_NO_STATE, doc="The counters of a state, without its keys.")
    set_counters = Do(
        Command.NEWAE,
        Counters,
        flags=HeaderFlags.REPLACE,
        hints=_NO_STATE,
        doc="Set the counters of a state, as a standby does that takes over.",
    )
    state_info = Do(Command.GETSADINFO, StateInfo, StateInfo, doc="The number of states.")

    # Policies

    policies = Dump(Command.GETPOLICY, None, Policy, doc="All policies: a `Batch` of `Policy`.")
    get_policy = Do(Command.GETPOLICY, PolicyID, Policy, hints=_NO_POLICY, doc="A policy.")
    create_policy = Do(
        Command.NEWPOLICY,
        Policy,
        hints={errno.EEXIST: "there is a policy of this direction, selector, mark and interface id"},
        doc="Add a policy. FileExistsError if there is one of this direction, selector, mark and interface id.",
    )
    update_policy = Do(Command.UPDPOLICY, Policy, doc="Add a policy, or replace the one that is there.")
    delete_policy = Do(
        Command.DELPOLICY, PolicyID, hints=_NO_POLICY, doc="Delete a policy: `delete_policy(policy.id)`."
    )
    flush_policies = Do(Command.FLUSHPOLICY, FlushedPolicies, doc="Delete all policies, but not those of sockets.")
    policy_info = Do(Command.GETSPDINFO, PolicyInfo, PolicyInfo, doc="The number of policies.")
    set_policy_info = Do(Command.NEWSPDINFO, PolicyInfo, doc="Set which policies are in the hash table.")
    defaults = Do(Command.GETDEFAULT, Defaults, Defaults, doc="What happens to packets without a policy.")
    set_defaults = Do(Command.SETDEFAULT, Defaults, doc="Set what happens to packets without a policy.")
    migrate = Do(Command.MIGRATE, Migration, doc="Change the addresses of a policy's templates, and of its states.")

    # Events

    events = Listen(
        [
            Kind(Command.NEWSA, State, Event.NEW),
            Kind(Command.UPDSA, State, Event.UPDATE),
            Kind(Command.DELSA, DeletedState),
            Kind(Command.EXPIRE, ExpiredState),
            Kind(Command.FLUSHSA, FlushedStates),
            Kind(Command.NEWAE, Counters),
            Kind(Command.MAPPING, Mapping),
            Kind(Command.REPORT, Report),
            Kind(Command.NEWPOLICY, Policy, Event.NEW),
            Kind(Command.UPDPOLICY, Policy, Event.UPDATE),
            Kind(Command.DELPOLICY, DeletedPolicy),
            Kind(Command.POLEXPIRE, ExpiredPolicy),
            Kind(Command.FLUSHPOLICY, FlushedPolicies),
            Kind(Command.GETDEFAULT, Defaults),
            Kind(Command.MIGRATE, Migration),
        ],
        groups=[group for group in XfrmGroup if group not in (XfrmGroup.NONE, XfrmGroup.ACQUIRE)],
        doc="A stream of what happens to states and policies, but for `acquires`. Those of states have their keys.",
    )
    acquires = Listen(
        {Command.ACQUIRE: Acquire},
        groups=[XfrmGroup.ACQUIRE],
        doc="A stream of packets that need a state, for key managers. While somebody listens, the kernel takes it for"
        " one, and makes a state for such a packet that waits for its keys some 30 seconds. Without a listener it makes"
        " none. The packets are dropped in either case.",
    )


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to xfrm. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to xfrm for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
