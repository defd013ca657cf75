"""The vocabulary for declarations of netlink families.

    class NfGenMsg(Struct):
        family: Int = u8()
        version: Int = u8()
        res_id: Int = be16()

    class Counters(AttributeSet):
        packets: Int = be64(1)  # CTA_COUNTERS_PACKETS
        bytes: Int = be64(2)  # CTA_COUNTERS_BYTES

    class Flow(AttributeSet, header=NfGenMsg):
        status: Member[Status] = be32(3, enum=Status)  # CTA_STATUS
        counters_orig: Field[Counters | None] = nested(9, Counters)  # CTA_COUNTERS_ORIG

One declaration is the wire layout and the class: `Flow.decode(payload).counters_orig.packets`,
`Flow(status=8).encode()`, `Flow.decode_many(payloads)`. It compiles to a table when the class is made. Decoding and
encoding look up no names.

A field reads as None if its attribute is absent; a `required` one raises `MissingAttribute`. Attributes of types that
are not declared are in `record.unknown`. An attribute of another width than declared is a DecodeError. A struct may be
longer or shorter than declared, as in newer and older kernels. Of attributes that come again the last one counts, with
all that is in it, as in the kernel; all those of a `repeated` field do.

The annotations are for type checkers, which derive the constructor's arguments from them. Nothing else reads them.

The type of a field is its attribute type. If it lies inside containers without a class of their own, the type is a path
of attribute types: `(1, 3)`. The fields of a `Struct` have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, dataclass_transform, overload

from netlink._engine import record as _record
from netlink._engine.arrow import Column, Columns, dtype
from netlink._engine.compile import Outer, Pad, compile_attributes, compile_struct
from netlink._engine.record import Batch, Bitfield32, Field, MissingAttribute, Record, SocketAddress, release_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from enum import IntEnum, IntFlag
    from ipaddress import IPv4Address, IPv6Address

    from netlink.packet import Source

__all__ = [
    "IP",
    "AttributeSet",
    "Base64",
    "Batch",
    "Bitfield32",
    "Bits",
    "Bytes",
    "Column",
    "Columns",
    "Field",
    "Flag",
    "IPv4",
    "IPv6",
    "Int",
    "Items",
    "Member",
    "MissingAttribute",
    "Record",
    "Sockaddr",
    "SocketAddress",
    "Str",
    "Struct",
    "View",
    "array",
    "base64",
    "be16",
    "be32",
    "be64",
    "binary",
    "bitfield32",
    "chain",
    "dtype",
    "event",
    "flag",
    "ip",
    "ipv4",
    "ipv6",
    "key",
    "lladdr",
    "mac",
    "nested",
    "outer",
    "packed",
    "pad",
    "release_memory",
    "repeated",
    "rest",
    "s8",
    "s16",
    "s32",
    "s64",
    "sbe16",
    "sbe32",
    "sbe64",
    "sequence",
    "sint",
    "sockaddr",
    "string",
    "struct",
    "submessage",
    "u8",
    "u16",
    "u32",
    "u64",
    "uint",
    "view",
]

Path: TypeAlias = int | tuple[int, ...]
_E = TypeVar("_E", bound="IntEnum | IntFlag")
_R = TypeVar("_R", bound=Record)
_S = TypeVar("_S", bound="Struct")
_T = TypeVar("_T")

# Annotations of fields: the type of the value and, if it accepts more, that of the constructor's argument. Quoted names
# are imported for type checkers alone.

Int: TypeAlias = Field[int | None]
"""The annotation of an integer."""
Member: TypeAlias = Field["_E | None", int | None]
"""The annotation of an integer with an enum, `Member[State]`, and of an `event`."""
Flag: TypeAlias = Field[Literal[True] | None, bool | None]
"""The annotation of a `flag`."""
Str: TypeAlias = Field[str | None]
"""The annotation of a `string`, `mac` or `lladdr`."""
Bytes: TypeAlias = Field[bytes | None, bytes | bytearray | memoryview | None]
"""The annotation of a `binary`."""
Base64: TypeAlias = Field[str | None, str | bytes | bytearray | memoryview | None]
"""The annotation of a `base64`."""
View: TypeAlias = Field[memoryview | None, bytes | bytearray | memoryview | None]
"""The annotation of a `view`."""
Bits: TypeAlias = Field[Bitfield32 | None, tuple[int, int] | None]
"""The annotation of a `bitfield32`."""
IPv4: TypeAlias = Field["IPv4Address | None", "IPv4Address | str | None"]
"""The annotation of an `ipv4`."""
IPv6: TypeAlias = Field["IPv6Address | None", "IPv6Address | str | None"]
"""The annotation of an `ipv6`."""
IP: TypeAlias = Field["IPv4Address | IPv6Address | None", "IPv4Address | IPv6Address | str | None"]
"""The annotation of an `ip`."""
Sockaddr: TypeAlias = Field["SocketAddress | None", "SocketAddress | tuple[Any, ...] | str | None"]
"""The annotation of a `sockaddr`."""
Items: TypeAlias = Field["tuple[_T, ...] | None", "Iterable[_T] | None"]
"""The annotation of a `repeated`, `array` or `packed` field: `Items[int]`."""

_BESIDE = (_record.NL_K_EVENT, _record.NL_K_KEY, _record.NL_K_REST)  # fields without an attribute
_TYPE_MAX = 0x3FFF  # NLA_TYPE_MASK
_ITEMS = (_record.NL_K_INT, _record.NL_K_ADDRESS, _record.NL_K_FIXED)  # items of lists, as fields without a type
_ADDRESS_SIZE, _REF_SIZE, _LIST_SIZE, _SUB_SIZE = 5, 8, 8, 16


def _types(type_: Path | None, width: int = 0) -> tuple[tuple[tuple[int, ...], int], ...]:
    """A field's type for the compiler: a path and a width; none in a struct."""
    if type_ is None:
        return ()
    path = type_ if isinstance(type_, tuple) else (type_,)
    if not path or not all(isinstance(t, int) and 0 <= t <= _TYPE_MAX for t in path):
        raise TypeError(f"an attribute type must be a number from 0 to {_TYPE_MAX}, or a path of them, not {type_!r}")
    return ((path, width),)


class _Integer:
    """The declaration of an integer: `u32(type, *, enum=None, required=False)`.

    enum: an IntEnum or IntFlag; values without a member stay numbers.
    time: the unit "s", "ms", "us" or "ns" of an integer of 8 bytes that counts the time since 1970. It reads as an int,
        and is a timestamp in Arrow.
    type6, of: another attribute type that the kernel uses beside an IPv6 address, and the name of the address field.
    """

    def __init__(self, name: str, width: int, flags: int) -> None:
        self.name = name
        self.width = width
        self.flags = flags

    @overload
    def __call__(
        self,
        type: Path | None = None,
        *,
        enum: None = None,
        required: Literal[False] = False,
        type6: Path | None = None,
        of: str | None = None,
        time: Literal["s", "ms", "us", "ns"] | None = None,
    ) -> Int: ...
    @overload
    def __call__(
        self,
        type: Path | None = None,
        *,
        enum: None = None,
        required: Literal[True],
        time: Literal["s", "ms", "us", "ns"] | None = None,
    ) -> Field[int, int | None]: ...
    @overload
    def __call__(self, type: Path | None = None, *, enum: type[_E], required: Literal[False] = False) -> Member[_E]: ...
    @overload
    def __call__(
        self, type: Path | None = None, *, enum: type[_E], required: Literal[True]
    ) -> Field[_E, int | None]: ...
    def __call__(
        self,
        type: Path | None = None,  # noqa: A002
        *,
        enum: type[Any] | None = None,
        required: bool = False,
        type6: Path | None = None,
        of: str | None = None,
        time: str | None = None,
    ) -> Field[Any]:
        if time is not None and (time not in {"s", "ms", "us", "ns"} or self.width != 8 or enum is not None):
            raise TypeError(f'time must be "s", "ms", "us" or "ns", for 8 bytes without an enum, not {time!r}')
        if (type6 is None) != (of is None):
            raise TypeError("type6 is the attribute type beside an IPv6 address, and needs of=, the address field")
        size = self.width or 8
        return Field(
            _record.NL_K_INT,
            _types(type, self.width) + (() if type6 is None else _types(type6, self.width)),
            width=self.width,
            flags=self.flags,
            size=size,
            enum=enum,
            required=required,
            on=of,
            time=time,
        )

    def __repr__(self) -> str:
        return f"<kind {self.name}>"


u8 = _Integer("u8", 1, 0)
"""An unsigned integer of 1 byte."""
u16 = _Integer("u16", 2, 0)
"""An unsigned integer of 2 bytes in host byte order."""
u32 = _Integer("u32", 4, 0)
"""An unsigned integer of 4 bytes in host byte order."""
u64 = _Integer("u64", 8, 0)
"""An unsigned integer of 8 bytes in host byte order."""
s8 = _Integer("s8", 1, _record.NL_SIGNED)
"""A signed integer of 1 byte."""
s16 = _Integer("s16", 2, _record.NL_SIGNED)
"""A signed integer of 2 bytes in host byte order."""
s32 = _Integer("s32", 4, _record.NL_SIGNED)
"""A signed integer of 4 bytes in host byte order."""
s64 = _Integer("s64", 8, _record.NL_SIGNED)
"""A signed integer of 8 bytes in host byte order."""
be16 = _Integer("be16", 2, _record.NL_BIG)
"""An unsigned integer of 2 bytes in network byte order."""
be32 = _Integer("be32", 4, _record.NL_BIG)
"""An unsigned integer of 4 bytes in network byte order."""
be64 = _Integer("be64", 8, _record.NL_BIG)
"""An unsigned integer of 8 bytes in network byte order."""
sbe16 = _Integer("sbe16", 2, _record.NL_BIG | _record.NL_SIGNED)
"""A signed integer of 2 bytes in network byte order."""
sbe32 = _Integer("sbe32", 4, _record.NL_BIG | _record.NL_SIGNED)
"""A signed integer of 4 bytes in network byte order."""
sbe64 = _Integer("sbe64", 8, _record.NL_BIG | _record.NL_SIGNED)
"""A signed integer of 8 bytes in network byte order."""
uint = _Integer("uint", 0, 0)
"""An unsigned integer of 1, 2, 4 or 8 bytes in host byte order (NLA_UINT); encoded in 4 bytes if it fits, else in 8."""
sint = _Integer("sint", 0, _record.NL_SIGNED)
"""A signed integer of 1, 2, 4 or 8 bytes in host byte order (NLA_SINT); encoded in 4 bytes if it fits, else in 8."""


def flag(type: Path) -> Flag:  # noqa: A002
    """An attribute without payload (NLA_FLAG): True if it is present."""
    return Field(_record.NL_K_FLAG, _types(type), size=1)


def string(type: Path) -> Str:  # noqa: A002
    """Text: UTF-8, other bytes as lone surrogates, trailing NULs removed. Encoded with one NUL (NLA_NUL_STRING)."""
    return Field(_record.NL_K_STRING, _types(type), size=_REF_SIZE)


def binary(type: Path | None = None, size: int | None = None) -> Bytes:  # noqa: A002
    """Bytes, of any length or of exactly size."""
    if size is None:
        if type is None:
            raise TypeError("a binary field of a Struct must have a size")
        return Field(_record.NL_K_BINARY, _types(type), size=_REF_SIZE)
    return Field(_record.NL_K_FIXED, _types(type), size=_fixed(size))


def _fixed(size: int) -> int:
    """A fixed size. TypeError if no attribute has it."""
    if not 1 <= size <= 65531:
        raise TypeError(f"a fixed size must be from 1 to 65531 bytes, not {size}")
    return size


def view(type: Path) -> View:  # noqa: A002
    """Bytes of any length, as a memoryview of the received datagram. They are not copied: for large payloads.

    The view keeps the memory of the whole batch alive.
    """
    return Field(_record.NL_K_VIEW, _types(type), size=_REF_SIZE)


def event(enum: type[_E]) -> Member[_E]:
    """An event such as NEW or DESTROY. It has no attribute: the message's type and flags determine it.

    A stream sets it; it is None in other records. It is not encoded. enum: values from 0 to 255.
    """
    return Field(_record.NL_K_EVENT, (), width=1, size=1, enum=enum)


def key(level: int = 0) -> Int:
    """The attribute type of a record in an `array`, such as the order of a tc action. It is no attribute itself.

    An array is encoded with the keys of its records, and numbers those without one from 1 on. In any other record the
    key is None. level: of an array with several levels, the outermost is 0.
    """
    if not (isinstance(level, int) and 0 <= level < _record.NL_KEYS_MAX):
        raise TypeError(f"a key has a level from 0 to {_record.NL_KEYS_MAX - 1}, not {level!r}")
    return Field(_record.NL_K_KEY, (), width=2, size=2, on=level)


def mac(type: Path | None = None) -> Str:  # noqa: A002
    """An Ethernet address of 6 bytes, as "02:00:00:00:00:01"."""
    return Field(_record.NL_K_FIXED, _types(type), size=6, form=_record.FORM_LLADDR)


def lladdr(type: Path) -> Str:  # noqa: A002
    """A link-layer address of any length, as text: "02:00:00:00:00:01", or "" for no bytes.

    It has 6 bytes for Ethernet, 4 for an IPv4 tunnel, 16 for an IPv6 tunnel, 20 for InfiniBand.
    """
    return Field(_record.NL_K_BINARY, _types(type), size=_REF_SIZE, form=_record.FORM_LLADDR)


def base64(type: Path, size: int) -> Base64:  # noqa: A002
    """Exactly size bytes that people write in base64, such as a key: it reads as that text.

    It takes bytes, too. A record has the text in its repr; an error about it has not. In Arrow and NumPy it is bytes.
    """
    return Field(_record.NL_K_FIXED, _types(type), size=_fixed(size), form=_record.FORM_BASE64)


def bitfield32(type: Path, *, enum: type[IntFlag] | None = None) -> Bits:  # noqa: A002
    """struct nla_bitfield32 of linux/netlink.h: a value, and a selector of its valid bits. enum: an IntFlag of both."""
    return Field(_record.NL_K_FIXED, _types(type), size=8, form=_record.FORM_BITFIELD32, enum=enum)


def sockaddr(type: Path) -> Sockaddr:  # noqa: A002
    """A `SocketAddress`: struct sockaddr_in or sockaddr_in6, also as the beginning of struct sockaddr_storage.

    It takes text, "192.0.2.1:51820" or "[2001:db8::1]:51820", or a tuple of address and port, too.
    """
    return Field(_record.NL_K_SOCKADDR, _types(type), size=_record.SOCKADDR_SIZE)


@overload
def rest(*, texts: Literal[False] = False) -> Bytes: ...
@overload
def rest(*, texts: Literal[True]) -> Items[str]: ...
def rest(*, texts: bool = False) -> Field[Any]:
    """All bytes behind the header, for an `AttributeSet` whose payload is no attributes. None if there are none.

    texts: a tuple of texts with a NUL behind each, as in the uevents of devices.
    """
    return Field(_record.NL_K_REST, (), size=_REF_SIZE, form=_record.FORM_TEXTS if texts else _record.FORM_PLAIN)


def ipv4(type: Path | None = None) -> IPv4:  # noqa: A002
    """An IPv4 address of 4 bytes."""
    return Field(_record.NL_K_ADDRESS, _types(type, 4), width=4, size=4)


def ipv6(type: Path | None = None) -> IPv6:  # noqa: A002
    """An IPv6 address of 16 bytes."""
    return Field(_record.NL_K_ADDRESS, _types(type, 16), width=16, size=16)


@overload
def ip(
    type: Path, type6: Path | None = None, *, size: None = None, family: None = None, required: Literal[False] = False
) -> IP: ...
@overload
def ip(
    type: Path, type6: Path | None = None, *, size: None = None, family: None = None, required: Literal[True]
) -> Field[IPv4Address | IPv6Address, IPv4Address | IPv6Address | str | None]: ...
@overload
def ip(type: Path | None = None, *, size: Literal[16], family: str, required: Literal[False] = False) -> IP: ...
def ip(
    type: Path | None = None,  # noqa: A002
    type6: Path | None = None,
    *,
    size: int | None = None,
    family: str | None = None,
    required: bool = False,
) -> Field[Any]:
    """An IPv4 or IPv6 address. Its length (4 or 16 bytes) decides; with type6, an attribute type for IPv6, its type.

    size, family: it always has 16 bytes, as xfrm_address_t, and the field with the name family tells: if that is
    AF_INET (2), the first 4 bytes are an IPv4 address, else all are an IPv6 address. The field is in the same struct or
    set; one of the set's header is "header.family".
    """
    if size is not None or family is not None:
        if size != 16 or not isinstance(family, str) or type6 is not None:
            raise TypeError(
                f"size= is 16, and needs family=, the name of a field, and no type6; not {size!r}, {family!r}"
            )
        return Field(
            _record.NL_K_ADDRESS_BY, _types(type), width=16, size=_record.ADDRESS_SIZE, on=family, required=required
        )
    if type is None:
        raise TypeError("an address of either length has an attribute type")
    types = _types(type) if type6 is None else _types(type, 4) + _types(type6, 16)
    return Field(_record.NL_K_ADDRESS, types, size=_ADDRESS_SIZE, required=required)


@overload
def nested(
    type: Path, cls: type[_R] | Callable[[], type[_R]], *, required: Literal[False] = False, rare: bool = False
) -> Field[_R | None]: ...
@overload
def nested(
    type: Path, cls: type[_R] | Callable[[], type[_R]], *, required: Literal[True], rare: bool = False
) -> Field[_R, _R | None]: ...
def nested(type: Path, cls: Any, *, required: bool = False, rare: bool = False) -> Field[Any]:  # noqa: A002
    """Attributes in an attribute (NLA_NESTED): a record of another `AttributeSet`, without its header if it has one.

    cls: or a function that returns it, `lambda: Rule`, for one that is declared later or that contains itself. It is
        called when the declaration is first used, which is a TypeError if it fails. Records inside each other through
        such fields end at a depth of 32, with a DecodeError.
    rare: few records have it, as the `rare=` of `AttributeSet`. A field with a function is as rare.
    """
    if _is_function(cls):
        return Field(
            _record.NL_K_RARE, _types(type), size=4, cls=_later("nested", cls, AttributeSet), required=required
        )
    size = _compiled("nested", cls, AttributeSet)
    if rare:
        return Field(_record.NL_K_RARE, _types(type), size=4, cls=cls, required=required)
    return Field(_record.NL_K_NESTED, _types(type), size=size, cls=cls, required=required)


def struct(type: Path | None, cls: type[_R]) -> Field[_R | None]:  # noqa: A002
    """A C struct as the payload, or with None for the type in another `Struct`: a record of a `Struct`."""
    size = _compiled("struct", cls, Struct)
    return Field(_record.NL_K_STRUCT, _types(type), size=size, cls=cls)


def pad(size: int) -> Any:
    """Padding of a `Struct`: bytes without a field, which are zero when they are encoded."""
    if not 1 <= size <= 65531:
        raise TypeError(f"padding has from 1 to 65531 bytes, not {size}")
    return Pad(size)


@overload
def repeated(type: Path, kind: type[_R] | Callable[[], type[_R]]) -> Items[_R]: ...
@overload
def repeated(type: Path, kind: Field[_T | None, Any]) -> Items[_T]: ...
@overload
def repeated(type: Path, kind: Any) -> Items[Any]: ...
def repeated(type: Path, kind: Any) -> Field[Any]:  # noqa: A002
    """A tuple of the values of all attributes of one type.

    kind: such as `u32` or `u32(enum=State)`, an `AttributeSet`, a function that returns one (see `nested`), or a
        `Struct`.
    """
    return Field(_record.NL_K_REPEATED, _types(type), size=_LIST_SIZE, item=_item("repeated", kind))


@overload
def array(type: Path, kind: type[_R] | Callable[[], type[_R]], *, depth: int = 1) -> Items[_R]: ...
@overload
def array(type: Path, kind: Field[_T | None, Any], *, depth: int = 1) -> Items[_T]: ...
@overload
def array(type: Path, kind: Any, *, depth: int = 1) -> Items[Any]: ...
def array(type: Path, kind: Any, *, depth: int = 1) -> Field[Any]:  # noqa: A002
    """A tuple of the values of attributes in an attribute, with any types. kind: as for `repeated`.

    The types are those of a `key` in the records. depth: levels of attributes that only number, if there are several.
    """
    if not (isinstance(depth, int) and 1 <= depth <= _record.NL_KEYS_MAX):
        raise TypeError(f"an array has a depth from 1 to {_record.NL_KEYS_MAX}, not {depth!r}")
    return Field(_record.NL_K_ARRAY, _types(type), size=_LIST_SIZE, item=_item("array", kind), depth=depth)


@overload
def packed(type: Path, kind: _Integer, *, enum: None = None) -> Items[int]: ...
@overload
def packed(type: Path, kind: _Integer, *, enum: type[_E]) -> Field[tuple[_E, ...] | None, Iterable[int] | None]: ...
@overload
def packed(type: Path, kind: type[_S], *, enum: None = None, count: _Integer | None = None) -> Items[_S]: ...
def packed(
    type: Path,  # noqa: A002
    kind: Any,
    *,
    enum: type[Any] | None = None,
    count: _Integer | None = None,
) -> Field[Any]:
    """A tuple of integers or structs side by side in one payload.

    kind: one of fixed width, such as `u32`, or a `Struct`. enum: an IntEnum or IntFlag of the integers. count: such as
    `u32`, the integer before structs that says how many follow.
    """
    if _derives(kind, Struct) and enum is None:
        if count is not None and not (isinstance(count, _Integer) and count.width):
            raise TypeError(f"count takes an integer kind of fixed width such as u32, not {count!r}")
        width, flags = (0, 0) if count is None else (count.width, count.flags)
        return Field(
            _record.NL_K_STRUCTS, _types(type), width=width, flags=flags, size=_LIST_SIZE, item=_item("packed", kind)
        )
    if count is not None:
        raise TypeError("count is for structs")
    if not isinstance(kind, _Integer) or not kind.width:
        raise TypeError(f"packed takes a Struct or an integer kind of fixed width such as u32, not {kind!r}")
    return Field(_record.NL_K_PACKED, _types(type), width=kind.width, flags=kind.flags, size=_REF_SIZE, enum=enum)


def sequence(type: Path, cls: type[_R] | Callable[[], type[_R]]) -> Items[_R]:  # noqa: A002
    """A tuple of the attributes in an attribute, in their order: records of one field each.

    For those whose order among different types has a meaning, such as the actions of Open vSwitch. cls: an
    `AttributeSet` with a field for each type, or a function that returns it (see `nested`).
    """
    return Field(_record.NL_K_SEQUENCE, _types(type), size=_LIST_SIZE, item=_records("sequence", cls))


def chain(type: Path, cls: type[_R]) -> Items[_R]:  # noqa: A002
    """A tuple of records side by side, each with a header that begins with the record's length: RTA_MULTIPATH.

    cls: an `AttributeSet` whose header begins with a `u16`. Encoding sets the length.
    """
    _compiled("chain", cls, AttributeSet)
    header = cls.__options__["header"]
    length = None if header is None else next(iter(header.__fields__.values()))
    if length is None or (length.kind, length.width, length.flags, length.at) != (_record.NL_K_INT, 2, 0, 0):
        raise TypeError(f"chain takes a class whose header begins with a u16, the length, not {cls.__name__}")
    return Field(_record.NL_K_CHAIN, _types(type), size=_LIST_SIZE, item=_records("chain", cls))


def _records(what: str, cls: Any) -> Field[Any]:
    """The field for one item of a list that has records alone."""
    if not _is_function(cls):
        _compiled(what, cls, AttributeSet)
    return _item(what, cls)


@overload
def submessage(type: Path, on: str | Outer, cases: Mapping[Any, type[_R]]) -> Field[_R | bytes | None]: ...
@overload
def submessage(
    type: Path, on: str | Outer, cases: Mapping[Any, Callable[[], type[_R]]]
) -> Field[_R | bytes | None]: ...
@overload
def submessage(type: Path, on: str | Outer, cases: Mapping[Any, Any]) -> Field[Any]: ...
def submessage(type: Path, on: str | Outer, cases: Mapping[Any, Any]) -> Field[Any]:  # noqa: A002
    """A record of the class cases[value of the field `on`]; the payload as bytes if no case fits.

    on: the name of an integer or string field beside it, the name of one in the header, "header.family", or an `outer`.
    A case is an `AttributeSet`, with its header if it has one, a `Struct`, or a function that returns one, as for
    `nested`.
    """
    if not isinstance(cases, Mapping) or not cases:
        raise TypeError(f"a submessage takes a mapping from values to classes, not {cases!r}")
    choices: list[tuple[Any, Any]] = []
    for key, cls in cases.items():
        if _is_function(cls):
            choices.append((key, _later("a case of submessage", cls, Record)))
        else:
            _compiled("a case of submessage", cls, Record)
            choices.append((key, cls))
    return Field(_record.NL_K_SUBMESSAGE, _types(type), size=_SUB_SIZE, on=on, cases=tuple(choices))


def outer(selector: int | Field[Any]) -> Outer:
    """A field of the record around that of a `submessage`, which chooses its case: `on=outer(1)`.

    selector: its attribute type, or a field of the header there, such as `IfInfoMsg.family`.
    A record that is in no other one has bytes in the place of the submessage.
    """
    if isinstance(selector, Field):
        if selector.types or selector.kind != _record.NL_K_INT or not _derives(selector.owner, Struct):
            raise TypeError(f"outer takes an integer field of a Struct, not {selector.name!r}")
    elif not (isinstance(selector, int) and 0 <= selector <= _TYPE_MAX):
        raise TypeError(f"outer takes an attribute type or a field of a Struct, not {selector!r}")
    return Outer(selector)


def _item(what: str, kind: Any) -> Field[Any]:
    """The field for one item of a list."""
    if _derives(kind, AttributeSet):
        return nested(0, kind)
    if _is_function(kind):
        return Field(_record.NL_K_NESTED, _types(0), cls=_later(what, kind, AttributeSet))
    if _derives(kind, Struct):
        return struct(0, kind)
    if _is_element(kind):
        return cast("Field[Any]", kind)
    if isinstance(kind, _Integer) or kind in (string, binary, lladdr, mac, bitfield32, ipv4, ipv6, ip, flag, sockaddr):
        return cast("Field[Any]", kind(0))
    raise TypeError(f"{what} takes a kind such as u32 or string, an AttributeSet or a Struct, not {kind!r}")


def _is_element(kind: object) -> bool:
    """Whether this is a field without an attribute type, such as `u32(enum=State)`, for the items of a list."""
    return isinstance(kind, Field) and not kind.types and not kind.required and kind.kind in _ITEMS


def _is_function(kind: Any) -> bool:
    """Whether this is a function that returns a declaration, and no declaration or kind."""
    return callable(kind) and not isinstance(kind, (type, _Integer)) and kind.__module__ != __name__


def _later(what: str, function: Any, base: type[Record]) -> Callable[[], type[Record]]:
    """The function, with a check of what it returns."""

    def declared() -> type[Record]:
        cls: type[Record] = function()
        _compiled(what, cls, base)
        return cls

    return declared


def _derives(kind: Any, base: type[Record]) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _compiled(what: str, cls: Any, base: type[Record]) -> int:
    """The size of the records of a declaration. TypeError if cls is not a declaration."""
    if not (_derives(cls, base) and hasattr(cls, "__table__")):
        want = "AttributeSet or Struct" if base is Record else base.__name__
        raise TypeError(f"{what} takes a class derived from {want}, not {cls!r}")
    if base is AttributeSet and any(field.kind == _record.NL_K_REST for field in cls.__fields__.values()):
        raise TypeError(f"{what} takes a set of attributes, but {cls.__name__} has a rest")
    size: int = cls.__size__
    return size


# The bases of declarations


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _Declared(type):
    """The metaclass of declarations: their instances have no __dict__."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _Declared:
        namespace.setdefault("__slots__", ())
        return super().__new__(mcls, name, bases, namespace, **options)


def _members(cls: type[Record], base: type[Record], header: type[Record] | None = None) -> dict[str, Field[Any] | Pad]:
    """The members that a class inherits and declares, without names for fields of its header."""
    parent, *others = (kind for kind in cls.__bases__ if issubclass(kind, Record))
    if others or cls.__mro__[1] is not parent or not issubclass(parent, base):
        raise TypeError(f"{cls.__name__}: a declaration must derive from {base.__name__}, or first from another one")
    members: dict[str, Field[Any] | Pad] = {}
    for source in reversed(cls.__mro__[1:]):
        for name, value in vars(source).items() if issubclass(source, base) else ():
            if isinstance(value, Pad):
                members[name] = value
            elif isinstance(value, Field) and (value.types or name != "header" or base is Struct):
                members[name] = value.again()
    for name, value in vars(cls).items():
        if isinstance(value, Pad):
            members[name] = value
        elif isinstance(value, Field) and (header is None or value.owner is not header):
            if value.owner is not None:
                raise TypeError(f"{cls.__name__}.{name} is a field of {value.owner.__name__}, not of the header")
            members[name] = value
            if not name.isidentifier():
                raise TypeError(f"{cls.__name__}: {name!r} is not an identifier, so it is no name of a field")
        elif name in members:
            raise TypeError(f"{cls.__name__}.{name}: its base has a field with this name")
    if "__new__" in vars(cls):
        raise TypeError(f"{cls.__name__}.__new__: decoding makes records without a call of it")
    for name, value in vars(cls).items():
        if isinstance(value, _Integer) or (callable(value) and getattr(value, "__module__", None) == __name__):
            raise TypeError(f"{cls.__name__}.{name}: call the kind with its attribute type, as in u32(1)")
        if isinstance(value, Field) and hasattr(Record, name):
            raise TypeError(f"{cls.__name__}.{name}: every record already has a {name}; choose another name")
    for name, member in members.items():
        if name not in vars(cls):
            type.__setattr__(cls, name, member)
    return members


def _header_names(cls: type[Record], header: type[Record]) -> dict[str, Field[Any]]:
    """The header's fields by their names in the records.

    A field has the name that the class or its base gives it, else its own name unless the class uses it for something
    else.
    """
    own = header.__fields__
    names = {name: field for name, field in cls.__header_fields__.items() if name not in vars(cls)}
    for name, value in vars(cls).items():
        if isinstance(value, Field) and value.owner is header:
            names[name] = value
    given = {field.name for field in names.values()}
    if len(given) < len(names):
        raise TypeError(f"{cls.__name__}: a field of the header has two names")
    return names | {name: own[name] for name in own if name not in given and not hasattr(cls, name)}


class AttributeSet(Record, metaclass=_Declared):
    """The base of declarations of attributes. `header=` is the `Struct` between nlmsghdr and the attributes.

    The field `header` is that struct; type checkers need `header: IfInfoMsg | None = None`. Its fields are also
    attributes of the record and arguments of the constructor, unless the class uses their names: `Link(index=3).index`.
    For type checkers, or under another name: `index: Int = IfInfoMsg.index`. They are None if the record has no header.
    An absent header is encoded as zeros.

    `packet=` says where a packet lies in the records, for `netlink.packet.Headers`.

    `rare=` names fields that few records have. All of them together take 4 bytes in a record that has none, so that a
    large `Batch` is small. `Batch.to_numpy` leaves them out unless they are named, and `netlink.match` cannot compare
    them.

    `lenient=True`: an attribute of another width than declared is in `unknown`, and its field is absent. Without it
    that is a DecodeError.

    `unknown=False`: attributes of types that are not declared are ignored, and take no memory. `ignore=` are types that
    are always ignored, such as those of padding.

    A declaration that derives from another one has its fields first, and its options. It may declare a field of it
    anew. `rare=` and `ignore=` add to those of the base.
    """

    if TYPE_CHECKING:
        header: Any = None

    __header_fields__ = MappingProxyType({})
    __options__ = MappingProxyType(
        {"header": None, "rare": (), "packet": None, "lenient": False, "unknown": True, "ignore": ()}
    )

    def __init_subclass__(
        cls,
        header: type[Record] | None = None,
        rare: Collection[str] = (),
        packet: Source | None = None,
        *,
        lenient: bool | None = None,
        unknown: bool | None = None,
        ignore: Collection[int] = (),
    ) -> None:
        options = _options(cls, header, rare, packet, lenient, unknown, ignore)
        header = options["header"]
        size = 0 if header is None else _compiled("header=", header, Struct)
        fields: dict[str, Field[Any]] = {}
        for name, member in _members(cls, AttributeSet, header).items():
            if isinstance(member, Pad):
                raise TypeError(f"{cls.__name__}.{name}: padding is for a Struct; ignore= has types of attributes")
            fields[name] = member
        if "header" in vars(cls) and (header is None) == (vars(cls)["header"] is None):
            raise TypeError(f"{cls.__name__}.header: this is the name of the header struct, which header= declares")
        names: dict[str, Field[Any]] = {}
        if header is not None:
            names = _header_names(cls, header)
            field: Field[Any] = Field(_record.NL_K_STRUCT, (), size=size, cls=header)
            type.__setattr__(cls, "header", field)
            fields["header"] = field
        for name, field in fields.items():
            if not (field.types or field.kind in _BESIDE or (name == "header" and header is not None)):
                raise TypeError(f"{cls.__name__}.{name}: a field of an AttributeSet must have an attribute type")
        if any(field.kind == _record.NL_K_REST for field in fields.values()):
            extra = [name for name, field in fields.items() if field.types or field.kind == _record.NL_K_KEY]
            rests = [name for name, field in fields.items() if field.kind == _record.NL_K_REST]
            if extra or len(rests) > 1:
                raise TypeError(
                    f"{cls.__name__}: {rests[0]} is all behind the header, so there is no {[*extra, *rests[1:]][0]}"
                )
        for name in rare:
            if name not in fields or name == "header":
                raise TypeError(f"{cls.__name__}: rare= names {name!r}, which is no field of it")
        compile_attributes(cls, fields, None if header is None else fields["header"], options)
        for name, field in names.items():
            type.__setattr__(cls, name, _record.HeaderField(fields["header"], field))
        type.__setattr__(cls, "__header_fields__", MappingProxyType(names))
        type.__setattr__(cls, "__options__", options)
        if options["packet"] is not None:
            options["packet"].bind(cls)


def _options(
    cls: type[Record],
    header: type[Record] | None,
    rare: Collection[str],
    packet: Source | None,
    lenient: bool | None,
    unknown: bool | None,
    ignore: Collection[int],
) -> Mapping[str, Any]:
    """The options of a class of attributes: those that are given, and those of its base."""
    base = cls.__options__
    if header is not None and base["header"] is not None:
        raise TypeError(f"{cls.__name__}: its base has a header, {base['header'].__name__}")
    if packet is None and base["packet"] is not None:
        packet = base["packet"].again()
    if isinstance(ignore, str) or not all(isinstance(t, int) and 0 <= t <= _TYPE_MAX for t in ignore):
        raise TypeError(f"ignore= takes attribute types, numbers from 0 to {_TYPE_MAX}, not {ignore!r}")
    return MappingProxyType(
        {
            "header": header or base["header"],
            "rare": (*base["rare"], *rare),
            "packet": packet,
            "lenient": base["lenient"] if lenient is None else lenient,
            "unknown": base["unknown"] if unknown is None else unknown,
            "ignore": tuple(dict.fromkeys((*base["ignore"], *ignore))),
        }
    )


class Struct(Record, metaclass=_Declared):
    """The base of declarations of C structs: fields in order, without padding. Declare padding by `pad`.

    `aligned=True`: fields lie where a C compiler puts them, and the struct ends there, too: an integer at a multiple of
    its size, a struct as its largest integer. A declaration that derives from another one has its fields first, as if
    it declared them.
    """

    __options__ = MappingProxyType({"aligned": False})

    def __init_subclass__(cls, *, aligned: bool | None = None) -> None:
        aligned = bool(cls.__options__["aligned"] if aligned is None else aligned)
        members = _members(cls, Struct)
        allowed = {_record.NL_K_INT, _record.NL_K_FIXED, _record.NL_K_ADDRESS, _record.NL_K_STRUCT}
        allowed.add(_record.NL_K_ADDRESS_BY)
        for name, field in members.items():
            if isinstance(field, Pad):
                continue
            if field.types:
                raise TypeError(f"{cls.__name__}.{name}: a field of a Struct has no attribute type")
            sized = field.width or field.kind in {_record.NL_K_FIXED, _record.NL_K_STRUCT}
            if field.kind not in allowed or not sized:
                raise TypeError(f"{cls.__name__}.{name}: a Struct has integers, bytes and addresses of fixed size only")
        if all(isinstance(member, Pad) for member in members.values()):
            raise TypeError(f"{cls.__name__} declares no fields")
        compile_struct(cls, members, aligned=aligned)
        type.__setattr__(cls, "__header_fields__", MappingProxyType({}))
        type.__setattr__(cls, "__options__", MappingProxyType({"aligned": aligned}))
