from collections.abc import Iterable
from typing import Generic, SupportsIndex, TypeAlias, TypeVar

from typing_extensions import Buffer, disjoint_base

from netlink._engine.record import Batch, Record
from netlink._io.outlet import BatchOutlet
from netlink.netfilter.conntrack.records import Expect, Flow
from netlink.netfilter.nfqueue.records import VLAN, Packet

_R = TypeVar("_R", bound=Record)
_M_co = TypeVar("_M_co", covariant=True)
_Packets: TypeAlias = Packet | SupportsIndex | Batch[Packet] | Iterable[Packet | SupportsIndex]

@disjoint_base
class Verdicts(BatchOutlet[_R, _M_co], Generic[_R, _M_co]):
    def _bind(self, number: int, id_fields: object, queue_fields: object) -> None: ...
    def _extra(
        self, packet: object, ct: Flow | None, expect: Expect | None, vlan: VLAN | None, l2hdr: Buffer | None
    ) -> bytes: ...
    def _need_priority(self) -> None: ...
    def _may_rewrite(self) -> None: ...
    def verdict(
        self,
        packets: _Packets,
        verdict: SupportsIndex | Iterable[SupportsIndex] | Buffer,
        *,
        mark: int | None = None,
        priority: int | None = None,
        payload: Buffer | None = None,
        ct: Flow | None = None,
        expect: Expect | None = None,
        vlan: VLAN | None = None,
        l2hdr: Buffer | None = None,
        checksums: bool = False,
        acknowledge: bool = False,
    ) -> None: ...
    def accept(
        self,
        packets: _Packets,
        *,
        mark: int | None = None,
        priority: int | None = None,
        payload: Buffer | None = None,
        ct: Flow | None = None,
        expect: Expect | None = None,
        vlan: VLAN | None = None,
        l2hdr: Buffer | None = None,
        checksums: bool = False,
        acknowledge: bool = False,
    ) -> None: ...
    def drop(self, packets: _Packets, *, ct: Flow | None = None, acknowledge: bool = False) -> None: ...
    def repeat(
        self,
        packets: _Packets,
        *,
        mark: int | None = None,
        priority: int | None = None,
        payload: Buffer | None = None,
        ct: Flow | None = None,
        expect: Expect | None = None,
        vlan: VLAN | None = None,
        l2hdr: Buffer | None = None,
        checksums: bool = False,
        acknowledge: bool = False,
    ) -> None: ...
    def requeue(
        self,
        packets: _Packets,
        number: int,
        *,
        bypass: bool = False,
        mark: int | None = None,
        priority: int | None = None,
        payload: Buffer | None = None,
        ct: Flow | None = None,
        expect: Expect | None = None,
        vlan: VLAN | None = None,
        l2hdr: Buffer | None = None,
        checksums: bool = False,
        acknowledge: bool = False,
    ) -> None: ...
    def accept_upto(
        self, packet: Packet | SupportsIndex, *, mark: int | None = None, priority: int | None = None
    ) -> None: ...
    def drop_upto(self, packet: Packet | SupportsIndex) -> None: ...
    @property
    def pending(self) -> int: ...
    @property
    def refused(self) -> dict[int, int]: ...
