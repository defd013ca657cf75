"""Devices that come, go and change: the uevents of the kernel, and those of udev.

    from netlink import kobject_uevent

    with kobject_uevent.listen(subsystems=["net"]) as stream:
        for event in stream:
            print(event.action, event.devpath, event.properties)

It needs no privilege. The kernel reports network interfaces to their own network namespace, and all other devices to
those that the machine's first user namespace owns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Never, overload

from netlink.config import Config
from netlink.consts import Family
from netlink.errors import Overrun
from netlink.schema import AttributeSet, Int, Items, Str, repeated, string, u32, u64
from netlink.stream import Stream, Texts, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

__all__ = ["Uevent", "listen", "parse"]


class Uevent(AttributeSet):
    """A uevent. A property that it does not have is None.

    action: "add", "remove", "change", "move", "online", "offline", "bind" or "unbind". devpath: the device below /sys;
    devpath_old: before a "move". subsystem: such as "block". seqnum: the number of the event; the kernel counts those
    of all namespaces, so that gaps are normal.
    devname, major, minor: the node below /dev. devtype: such as "partition". interface, ifindex: of a network device.
    synth_uuid: of an event that a process requested by writing to the device's file `uevent`.
    texts: all properties, as "KEY=VALUE". Bytes that are not UTF-8 are lone surrogates.
    """

    action: Str = string(1)
    devpath: Str = string(2)
    subsystem: Str = string(3)
    seqnum: Int = u64(4)
    devname: Str = string(5)
    devtype: Str = string(6)
    major: Int = u32(7)
    minor: Int = u32(8)
    driver: Str = string(9)
    modalias: Str = string(10)
    interface: Str = string(11)
    ifindex: Int = u32(12)
    devpath_old: Str = string(13)
    synth_uuid: Str = string(14)
    texts: Items[str] = repeated(15, string)

    @property
    def properties(self) -> dict[str, str]:
        """All properties, by their keys. A value may contain "="."""
        return dict(text.split("=", 1) for text in self.texts or ())


# Multicast groups: the kernel's is in no header, udev's is libudev's.
_GROUPS = {"kernel": 1, "udev": 2}
_ROOT = 0
# The head of libudev's messages: a name, and a number in network byte order. The properties lie where it says.
_UDEV_HEAD = b"libudev\0\xfe\xed\xca\xfe"
_UDEV_PROPERTIES = (16, 20)  # offsets of their offset and of their length


def _form(source: str, subsystems: Iterable[str] = ()) -> Texts[Uevent]:
    any_of = [f"SUBSYSTEM={name}" for name in subsystems]
    if source == "udev":
        return Texts(Uevent, "texts", any_of=any_of, begin=(0, _UDEV_HEAD), within=_UDEV_PROPERTIES)
    return Texts(Uevent, "texts", any_of=any_of)


def parse(datagram: bytes) -> Uevent:
    """The uevent in a datagram of the kernel or of udev, such as a recorded one."""
    source = "udev" if datagram.startswith(_UDEV_HEAD) else "kernel"
    attributes = _form(source).attributes(datagram)
    if attributes is None:
        raise ValueError("the header of udev tells a place of the properties that is not in the datagram")
    return Uevent.decode(attributes)


@overload
def listen(
    source: Literal["kernel", "udev"] = ...,
    *,
    subsystems: Iterable[str] | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Uevent, Never]: ...
@overload
def listen(
    source: Literal["kernel", "udev"] = ...,
    *,
    subsystems: Iterable[str] | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Uevent, Overrun]: ...
def listen(
    source: Literal["kernel", "udev"] = "kernel",
    *,
    subsystems: Iterable[str] | None = None,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Uevent, Any]:
    """Open a stream of uevents: a `netlink.stream.Stream` of `Uevent`. It needs no privilege.

    source: "kernel" for the events as the kernel sends them, before the device's node and links exist. "udev" for those
        that udev sends when it has processed them, with more properties: none comes if it does not run, as in most
        containers.
    subsystems: their names, such as ["block", "usb"]. Other events are skipped, which is no loss. None: all.
    read_buffer: bytes to queue. The kernel doubles the value, and charges at least 768 bytes for an event.
        NetlinkWarning if the kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: events that were dropped because the read buffer was full. `Stream.lost` counts
        them under every policy.
        "raise": Overrun is raised after the events before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between events or batches.
    netns: the network namespace, as in `netlink.Config`.

    A process with CAP_NET_ADMIN over the network namespace can send to both groups. Of "kernel" only messages of the
    kernel are read, and of "udev" only those of user 0 of this user namespace, by the credentials that the kernel
    attaches. All others are skipped.
    """
    if source not in _GROUPS:
        raise ValueError(f"source must be 'kernel' or 'udev', not {source!r}")
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    if isinstance(subsystems, str):
        raise TypeError(f"subsystems must be several names, such as [{subsystems!r}], not one")
    chosen = None if subsystems is None else list(subsystems)
    if chosen is not None and not chosen:
        raise ValueError("subsystems must be at least one name, or None for all")
    for name in chosen or ():
        if not isinstance(name, str) or "\0" in name:
            raise TypeError(f"the name of a subsystem must be text without NUL, not {name!r}")
    opened = open_source(
        Family.KOBJECT_UEVENT,
        _form(source, chosen or ()),
        groups=[_GROUPS[source]],
        config=Config(netns=netns),
        read_buffer=read_buffer,
        user=_ROOT if source == "udev" else None,
    )
    return Stream(opened, on_overrun=on_overrun)
