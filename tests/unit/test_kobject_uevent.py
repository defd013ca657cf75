"""netlink.kobject_uevent without a kernel: datagrams as the kernel and libudev make them, columns, what is refused."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import kobject_uevent
from netlink.kobject_uevent import Uevent, parse
from netlink.schema import Batch

KERNEL = (
    b"add@/devices/pci0000:00/0000:00:1f.2/ata1/block/sda/sda1\0ACTION=add\0"
    b"DEVPATH=/devices/pci0000:00/0000:00:1f.2/ata1/block/sda/sda1\0SUBSYSTEM=block\0MAJOR=8\0MINOR=1\0"
    b"DEVNAME=sda1\0DEVTYPE=partition\0PARTN=1\0ID_FS_LABEL=a=b\xff\0SEQNUM=18446744073709551615\0"
)


def udev(properties: bytes, **changed: int) -> bytes:
    """struct udev_monitor_netlink_header of libudev: prefix, magic, and where the properties lie; filters of zeros."""
    head = {"magic": 0xFEEDCAFE, "header_size": 40, "offset": 40, "length": len(properties)} | changed
    magic = struct.pack(">I", head["magic"])
    places = struct.pack("=III", head["header_size"], head["offset"], head["length"])
    return b"libudev\0" + magic + places + bytes(16) + properties


def test_an_event_of_the_kernel() -> None:
    event = parse(KERNEL)
    assert (event.action, event.subsystem, event.devname, event.devtype) == ("add", "block", "sda1", "partition")
    assert (event.major, event.minor, event.seqnum) == (8, 1, (1 << 64) - 1)
    assert event.devpath == "/devices/pci0000:00/0000:00:1f.2/ata1/block/sda/sda1"
    assert event.properties["PARTN"] == "1"
    assert event.properties["ID_FS_LABEL"] == "a=b\udcff"
    assert list(event.properties) == [text.split("=")[0] for text in event.texts or ()]
    assert (event.driver, event.interface, event.synth_uuid) == (None, None, None)


def test_an_event_of_udev() -> None:
    properties = KERNEL[KERNEL.index(b"\0") + 1 :]
    assert parse(udev(properties)) == parse(KERNEL)
    longer = udev(properties, offset=48)[:40] + bytes(8) + properties  # a header with more in it
    assert parse(longer) == parse(KERNEL)


def test_a_header_that_lies() -> None:
    for changed in ({"offset": 41}, {"length": 0xFFFFFFFF}, {"offset": 0xFFFFFFFF, "length": 2}):
        with pytest.raises(ValueError, match="not in the datagram"):
            parse(udev(b"ACTION=add\0", **changed))
    # Another magic is no message of udev: its bytes are texts, as the kernel's would be.
    assert parse(udev(b"ACTION=add\0", magic=0xFEEDCAFF)).action == "add"


def test_an_empty_event() -> None:
    assert parse(b"") == Uevent()
    assert parse(b"").properties == {}


@given(st.lists(st.sampled_from([b"", b"=", b"A", b"A=", b"=b", b"SEQNUM=x", b"MAJOR=-1", b"SEQNUM=", b"\xff=\xfe"])))
def test_texts_that_are_no_properties(parts: list[bytes]) -> None:
    """No number is made up, and each text is kept."""
    event = parse(b"add@/d\0" + b"".join(part + b"\0" for part in parts))
    assert (event.seqnum, event.major) == (None, None)
    assert all(isinstance(value, str) for value in event.properties.values())
    assert parse(udev(b"".join(part + b"\0" for part in parts))).seqnum is None


def test_columns() -> None:
    batch: Batch[Any] = Uevent.decode_many([parse(KERNEL).encode(), Uevent(action="remove", texts=["A=1"]).encode()])
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(batch)
    assert table["action"].to_pylist() == ["add", "remove"]
    assert table["seqnum"].to_pylist() == [(1 << 64) - 1, None]
    assert table["texts"].to_pylist()[1] == ["A=1"]
    assert pickle.loads(pickle.dumps(batch)) == batch


def test_what_listen_refuses() -> None:
    wrong: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (ValueError, "source", {"source": "systemd"}),
        (ValueError, "on_overrun", {"on_overrun": "resync"}),
        (TypeError, "several names", {"subsystems": "net"}),
        (ValueError, "at least one", {"subsystems": []}),
        (TypeError, "text without NUL", {"subsystems": [b"net"]}),
        (TypeError, "text without NUL", {"subsystems": ["n\0t"]}),
        (TypeError, "netns", {"netns": 1.5}),
    ]
    for error, message, options in wrong:
        with pytest.raises(error, match=message):
            kobject_uevent.listen(**options)
