"""Low-level access to Linux netlink sockets: `dial` a family, `Conn.execute` a request, decode its attributes.

Each family is a subpackage to import by name. This module imports none of them.
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
from netlink.consts import NESTED, NET_BYTE_ORDER, ConnOption, Family, HeaderFlags, HeaderType
from netlink.errors import DecodeError, EncodeError, NetlinkWarning, OpError, Overrun, Policy

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
    "Header",
    "HeaderFlags",
    "HeaderType",
    "Message",
    "NetlinkWarning",
    "OpError",
    "Overrun",
    "Policy",
    "Socket",
    "dial",
    "marshal_attributes",
    "unmarshal_attributes",
    "unmarshal_messages",
    "validate",
]
