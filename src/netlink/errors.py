"""Errors: `OpError` for a failed operation of a Conn, `Overrun` for a loss in a stream, `DecodeError` and `EncodeError`
for bytes, and `NetlinkWarning` for a setting of the kernel."""

from __future__ import annotations

import errno as _errno
import os as _os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from netlink.consts import PolicyType

    class _Policy(NamedTuple):
        type: PolicyType | int | None = None
        min: int | None = None
        max: int | None = None
        min_length: int | None = None
        max_length: int | None = None
        mask: int | None = None

else:
    from collections import namedtuple

    _Policy = namedtuple("_Policy", ("type", "min", "max", "min_length", "max_length", "mask"), defaults=[None] * 6)

__all__ = ["DecodeError", "EncodeError", "NetlinkWarning", "OpError", "Overrun", "Policy"]

_TIMEOUTS = frozenset({_errno.ETIMEDOUT, _errno.EAGAIN})
_TEMPORARY = _TIMEOUTS | {_errno.EINTR, _errno.ENOBUFS, _errno.EMFILE, _errno.ENFILE, _errno.ENOMEM}


class DecodeError(ValueError):
    """Bytes are not a well-formed message, attribute or value."""


class EncodeError(ValueError):
    """A value does not fit its place in a message."""


class Policy(_Policy):
    """The policy of the kernel for an attribute: NL_POLICY_TYPE_ATTR_* of linux/netlink.h.

    A named tuple. An item that the kernel did not report is None. `str()` gives words: "u16 from 1 to 4094".

    type: a `netlink.consts.PolicyType`, or a plain number without a member (NL_POLICY_TYPE_ATTR_TYPE).
    min, max: range of an integer (NL_POLICY_TYPE_ATTR_MIN_VALUE_U, MIN_VALUE_S, MAX_VALUE_U, MAX_VALUE_S).
    min_length, max_length: bytes of the payload (NL_POLICY_TYPE_ATTR_MIN_LENGTH, MAX_LENGTH).
    mask: the bits that may be set (NL_POLICY_TYPE_ATTR_MASK, BITFIELD32_MASK).
    """

    __slots__ = ()

    def __str__(self) -> str:
        name = getattr(self.type, "name", None)
        parts = ["" if self.type is None else name.lower().replace("_", " ") if name else f"type {self.type}"]
        parts.append(_span(self.min, self.max))
        if self.min_length is not None or self.max_length is not None:
            parts.append(f"{_span(self.min_length, self.max_length)} bytes long")
        if self.mask is not None:
            parts.append(f"within the bits {self.mask:#x}")
        return " ".join(filter(None, parts))


def _span(least: int | None, most: int | None) -> str:
    """A range in words."""
    if least is None or most is None:
        return f"from {least} up" if least is not None else f"up to {most}" if most is not None else ""
    return f"from {least} to {most}" if least != most else f"{least}"


class OpError(OSError):
    """An operation on a netlink connection failed.

    op: the operation, such as "receive"; the names are those of mdlayher/netlink.
    err: an errno, or the exception that caused it. The details of another OpError are taken over.
    message: a text of the kernel, else "" (NLMSGERR_ATTR_MSG of linux/netlink.h).
    offset: the offset of the attribute that the kernel rejects, in bytes from the request's nlmsghdr, else 0
        (NLMSGERR_ATTR_OFFS).
    sequence: the sequence number of the request, 0 if it is not known.
    missing: the type of an attribute that the request lacks, else None (NLMSGERR_ATTR_MISS_TYPE).
    nest: the offset of the attribute that lacks the missing one, in bytes from the request's nlmsghdr; 0 if none does
        (NLMSGERR_ATTR_MISS_NEST).
    policy: the kernel's policy for the rejected attribute, else None (NLMSGERR_ATTR_POLICY).
    attribute: the path of the rejected attribute in the request's declaration, such as "linkinfo.data.id"; without an
        offset, the path of the missing one; "" if it is not known.
    hint: advice, else "". Families set it.

    message, offset, missing, nest and policy are the extended acknowledgement. The kernel reports more of it with
    `Config(strict=True)`.

    An instance is also one of the built-in exception for its errno: `except FileNotFoundError` catches ENOENT,
    `PermissionError` EPERM and EACCES, `TimeoutError` a passed deadline (ETIMEDOUT).
    """

    op: str
    message: str
    offset: int
    sequence: int
    missing: int | None
    nest: int
    policy: Policy | None
    attribute: str
    hint: str

    def __new__(
        cls,
        op: str,
        err: int | BaseException,
        *,
        message: str = "",
        offset: int = 0,
        sequence: int = 0,
        missing: int | None = None,
        nest: int = 0,
        policy: Policy | None = None,
        attribute: str = "",
        hint: str = "",
    ) -> OpError:
        number, text = _explain(err)
        kind = _mixed(cls, number)
        self = OSError.__new__(kind, text) if number is None else OSError.__new__(kind, number, text)
        self.op = op
        self.message = message
        self.offset = offset
        self.sequence = sequence
        self.missing = missing
        self.nest = nest
        self.policy = policy
        self.attribute = attribute
        self.hint = hint
        if isinstance(err, OpError):
            # An error under the name of another operation has the same details.
            for name in _CONTEXT:
                if not getattr(self, name):
                    setattr(self, name, getattr(err, name))
        return self

    # OSError's own __init__ takes no keywords; __new__ has done the work.
    def __init__(
        self,
        op: str,
        err: int | BaseException,
        *,
        message: str = "",
        offset: int = 0,
        sequence: int = 0,
        missing: int | None = None,
        nest: int = 0,
        policy: Policy | None = None,
        attribute: str = "",
        hint: str = "",
    ) -> None:
        pass

    @property
    def timeout(self) -> bool:
        """Whether a deadline passed, or the operation would have had to wait."""
        return self.errno in _TIMEOUTS

    @property
    def temporary(self) -> bool:
        """Whether the same operation may succeed at another try."""
        return self.errno in _TEMPORARY

    def __str__(self) -> str:
        parts = [f"netlink {self.op}: {self.args[-1]}"]
        lacking = self.missing is not None and not self.offset  # attribute is the path of the missing one
        if self.attribute and not lacking:
            parts.append(f"attribute: {self.attribute}")
        if self.offset:
            parts.append(f"offset: {self.offset}")
        if self.missing is not None:
            place = f" in the attribute at offset {self.nest}" if self.nest else ""
            known = self.attribute if lacking else ""
            parts.append(f"missing: {known or f'attribute type {self.missing}{place}'}")
        if self.policy is not None:
            parts.append(f"allowed: {self.policy}")
        if self.message:
            parts.append(f'message: "{"".join(map(_escaped, self.message))}"')
        return ", ".join(parts) + (f": {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[Any, ...]:
        # That of the class which a mixed one is of: it has the same name.
        plain = next(cls for cls in reversed(type(self).__mro__) if cls.__qualname__ == type(self).__qualname__)
        return _restore, (plain, self.op, OSError(*self.args)), self.__dict__


class Overrun(OpError):  # noqa: N818 - what happened to the stream is an overrun
    """A loss in a stream: the kernel dropped messages, since the socket's read buffer was full.

    The stream goes on.

    lost: the number of datagrams, of one event each, since the last Overrun or the start of the stream.
    """

    lost: int

    def __new__(cls, lost: int) -> Overrun:
        text = (
            f"{lost} event{'s were' if lost != 1 else ' was'} lost, because the read buffer was full: ask for a larger "
            "read_buffer or for fewer events, such as by a filter, read faster (batches), or use reliable=True"
        )
        self = super().__new__(cls, "receive", OSError(_errno.ENOBUFS, text))
        assert isinstance(self, Overrun)
        self.lost = lost
        return self

    def __init__(self, lost: int) -> None:
        pass

    def __reduce__(self) -> tuple[Any, ...]:
        return Overrun, (self.lost,), self.__dict__


class NetlinkWarning(UserWarning):
    """A setting of the kernel prevents what was requested."""


def _escaped(char: str) -> str:
    """A character of the kernel's text: a terminal must not obey it, and any output can encode it."""
    if char in ('"', "\\"):
        return "\\" + char
    return char if char.isprintable() else char.encode("unicode_escape").decode()


_CONTEXT = ("message", "offset", "sequence", "missing", "nest", "policy", "attribute", "hint")


def _restore(cls: type[OpError], op: str, err: OSError) -> OpError:
    return cls(op, err)


def _explain(err: int | BaseException) -> tuple[int | None, str]:
    if not isinstance(err, BaseException):
        return int(err), _os.strerror(err) if err < 1 << 31 else f"Unknown error {err}"
    if isinstance(err, OSError) and err.errno is not None:
        return err.errno, err.strerror or _os.strerror(err.errno)
    if isinstance(err, TimeoutError):
        return _errno.ETIMEDOUT, str(err) or _os.strerror(_errno.ETIMEDOUT)
    return None, str(err) or type(err).__name__


_BUILTINS = {number: type(OSError(number, "")) for number in _errno.errorcode}
"""The built-in exception for each errno."""
_kinds: dict[Any, type[OpError]] = {}


def _mixed(cls: type[OpError], number: int | None) -> type[OpError]:
    """A subclass of a class and of the built-in exception for an errno, if it has one."""
    builtin = _BUILTINS.get(number or 0, OSError)
    if issubclass(cls, builtin):
        return cls
    kind = _kinds.get((cls, builtin))
    if kind is None:
        # One name for all: a traceback has netlink.errors.OpError.
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        kind = _kinds.setdefault((cls, builtin), type(cls.__name__, (cls, builtin), names))
    return kind
