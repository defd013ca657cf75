"""What goes wrong: `OpError` for the operations of a Conn, `Overrun` for what a stream lost, `DecodeError` and
`EncodeError` for bytes, `NetlinkWarning` for what will not come."""

from __future__ import annotations

import errno as _errno
import os as _os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["DecodeError", "EncodeError", "NetlinkWarning", "OpError", "Overrun"]

_TIMEOUTS = frozenset({_errno.ETIMEDOUT, _errno.EAGAIN})
_TEMPORARY = _TIMEOUTS | {_errno.EINTR, _errno.ENOBUFS, _errno.EMFILE, _errno.ENFILE, _errno.ENOMEM}


class DecodeError(ValueError):
    """Bytes that are no well-formed message, attribute or value."""


class EncodeError(ValueError):
    """A value that does not fit where it is to be written."""


class OpError(OSError):
    """An operation on a netlink connection failed.

    op: the operation, such as "receive"; the names are those of mdlayher/netlink.
    err: an errno, or the exception that caused it.
    message, offset: what the kernel said more, from the extended acknowledgement (NLMSGERR_ATTR_MSG,
        NLMSGERR_ATTR_OFFS of linux/netlink.h): a text, and the byte offset in the request, counted from its
        nlmsghdr, of what it objects to. "" and 0 where it said nothing.
    sequence: the sequence number of the request, where it is known, else 0.

    An instance is also one of the built-in exception that CPython maps its errno to: `except FileNotFoundError`
    catches ENOENT, `PermissionError` EPERM and EACCES, `TimeoutError` a deadline that passed (ETIMEDOUT).
    """

    op: str
    message: str
    offset: int
    sequence: int

    def __new__(
        cls, op: str, err: int | BaseException, *, message: str = "", offset: int = 0, sequence: int = 0
    ) -> OpError:
        number, text = _explain(err)
        kind = _mixed.get(number, cls) if cls is OpError else cls
        self = OSError.__new__(kind, text) if number is None else OSError.__new__(kind, number, text)
        # One error under the name of another operation keeps what the kernel said.
        told = err if isinstance(err, OpError) else None
        self.op = op
        self.message = message or (told.message if told else "")
        self.offset = offset or (told.offset if told else 0)
        self.sequence = sequence or (told.sequence if told else 0)
        return self

    # OSError's own __init__ takes no keywords; __new__ has done the work.
    def __init__(
        self, op: str, err: int | BaseException, *, message: str = "", offset: int = 0, sequence: int = 0
    ) -> None:
        pass

    @property
    def timeout(self) -> bool:
        """Whether a deadline passed, or nothing was there to be had at once."""
        return self.errno in _TIMEOUTS

    @property
    def temporary(self) -> bool:
        """Whether the same operation may succeed when it is tried again."""
        return self.errno in _TEMPORARY

    def __str__(self) -> str:
        text = f"netlink {self.op}: {self.args[-1]}"
        if self.message or self.offset:
            quoted = self.message.replace("\\", "\\\\").replace('"', '\\"')
            text += f', offset: {self.offset}, message: "{quoted}"'
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        cls = OpError if type(self) in _mixed.values() else type(self)
        return _restore, (cls, self.op, OSError(*self.args)), self.__dict__


class Overrun(OpError):  # noqa: N818 - what happened to the stream is an overrun
    """Messages of a stream were lost: the kernel dropped them, since the socket's read buffer was full.

    The stream goes on. lost: how many datagrams, of one event each, since the last Overrun or the stream's beginning.
    """

    lost: int

    def __new__(cls, lost: int) -> Overrun:
        text = (
            f"{lost} event{'s were' if lost != 1 else ' was'} lost, since the read buffer was full: ask for a larger "
            "read_buffer or for fewer events (events=, filter=), read faster (batches), or use reliable=True"
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
    """What was asked for cannot come, since a setting of the kernel prevents it."""


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


def _mix() -> dict[int | None, type[OpError]]:
    """For each errno that has a built-in exception, a class that is an OpError and that."""
    by_builtin: dict[type[OSError], type[OpError]] = {}
    mixed: dict[int | None, type[OpError]] = {}
    for number in _errno.errorcode:
        builtin = type(OSError(number, ""))
        if builtin is not OSError:
            if builtin not in by_builtin:
                # One name for all, so that a traceback reads netlink.errors.OpError.
                by_builtin[builtin] = type(
                    "OpError", (OpError, builtin), {"__module__": __name__, "__doc__": OpError.__doc__}
                )
            mixed[number] = by_builtin[builtin]
    return mixed


_mixed = _mix()
