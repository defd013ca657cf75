"""Low-level access to Linux netlink sockets: `dial` a family, `Conn.execute` a request, decode its attributes.

Each family is a subpackage to import by name. This module imports none of them. The other public modules, such as
`netlink.aio`, are imported when they are used.
"""

import sys as _sys

if _sys.platform != "linux":
    raise ImportError(f"netlink needs Linux: {_sys.platform} has no AF_NETLINK sockets")

from netlink._codec import (
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    AttributeView,
    Header,
    Message,
    marshal_attributes,
    unmarshal_attributes,
    unmarshal_messages,
    validate,
)
from netlink.config import Config
from netlink.conn import Conn, Socket, dial
from netlink.consts import (
    NESTED,
    NET_BYTE_ORDER,
    ConnOption,
    Family,
    GenericID,
    HeaderFlags,
    HeaderType,
    RouteGroup,
)
from netlink.errors import DecodeError, EncodeError, NetlinkWarning, OpError, Overrun, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType as _ModuleType

    from netlink import aio as aio
    from netlink import bpf as bpf
    from netlink import family as family
    from netlink import match as match
    from netlink import nlenc as nlenc
    from netlink import nltest as nltest
    from netlink import packet as packet
    from netlink import parts as parts
    from netlink import schema as schema
    from netlink import stream as stream

_MODULES = frozenset({"aio", "bpf", "family", "match", "nlenc", "nltest", "packet", "parts", "schema", "stream"})


def __getattr__(name: str) -> "_ModuleType":
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(_MODULES.union(globals()))


__version__ = "0.1.1"

__all__ = [
    "NESTED",
    "NET_BYTE_ORDER",
    "Attribute",
    "AttributeDecoder",
    "AttributeEncoder",
    "AttributeView",
    "Config",
    "Conn",
    "ConnOption",
    "DecodeError",
    "EncodeError",
    "Family",
    "GenericID",
    "Header",
    "HeaderFlags",
    "HeaderType",
    "Message",
    "NetlinkWarning",
    "OpError",
    "Overrun",
    "Policy",
    "RouteGroup",
    "Socket",
    "dial",
    "marshal_attributes",
    "unmarshal_attributes",
    "unmarshal_messages",
    "validate",
]
