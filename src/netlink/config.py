"""The options of `netlink.dial`."""

from __future__ import annotations

import functools as _functools
import os as _os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, TypedDict

    class ConfigOptions(TypedDict, total=False):
        """The options of a `Config` as keywords."""

        groups: int
        netns: int | str | _os.PathLike[str] | None
        pid: int
        strict: bool
        message_buffer_size: int


__all__ = ["Config"]

_U32_MAX = 0xFFFFFFFF
_INT_MAX = 0x7FFFFFFF
_NAMES = ("groups", "netns", "pid", "strict", "message_buffer_size")


class Config:
    """Options of `netlink.dial`. Immutable; equal if all options are equal.

    groups: bit mask of the multicast groups 1 to 32 to join at once (sockaddr_nl.nl_groups): bit n-1 is group n.
        `Conn.join_group` joins groups above 32.
    netns: the network namespace of the socket: an open file descriptor, a path such as /proc/42/ns/net, or a name under
        /run/netns as `ip netns` makes them. None: that of the calling thread. The caller closes the descriptor.
    pid: the port id to bind to, 0 to let the kernel choose one. Not a process id.
    strict: enable extended acknowledgements and strict checking of dump requests (NETLINK_EXT_ACK and
        NETLINK_GET_STRICT_CHK of linux/netlink.h, Linux 4.20); dial fails if the kernel lacks either.
    message_buffer_size: bytes of a receive buffer of fixed size. A longer datagram is an OpError (EMSGSIZE). 0: ask the
        kernel for the size of each datagram first; none is too long.

    TypeError for a value of another type, ValueError for one out of range.
    """

    __slots__ = ("_values",)

    def __init__(
        self,
        *,
        groups: int = 0,
        netns: int | str | _os.PathLike[str] | None = None,
        pid: int = 0,
        strict: bool = False,
        message_buffer_size: int = 0,
    ) -> None:
        if not isinstance(strict, bool):
            raise TypeError(f"strict must be a bool, not {type(strict).__name__}")
        values = (
            _integer("groups", groups, _U32_MAX),
            _namespace(netns),
            _integer("pid", pid, _U32_MAX),
            strict,
            _integer("message_buffer_size", message_buffer_size, _INT_MAX),
        )
        if hasattr(self, "_values"):
            raise AttributeError("Config is immutable")
        object.__setattr__(self, "_values", values)

    _values: tuple[int, int | str | _os.PathLike[str] | None, int, bool, int]

    @property
    def groups(self) -> int:
        return self._values[0]

    @property
    def netns(self) -> int | str | _os.PathLike[str] | None:
        return self._values[1]

    @property
    def pid(self) -> int:
        return self._values[2]

    @property
    def strict(self) -> bool:
        return self._values[3]

    @property
    def message_buffer_size(self) -> int:
        return self._values[4]

    def _options(self) -> dict[str, Any]:
        return dict(zip(_NAMES, self._values, strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Config):
            return NotImplemented
        return self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in self._options().items())})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Config is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Config is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _functools.partial(Config, **self._options()), ()


def _integer(name: str, value: int, most: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    value = value.__index__()
    if not 0 <= value <= most:
        raise ValueError(f"{name} must be from 0 to {most}, not {value}")
    return value


def _namespace(netns: int | str | _os.PathLike[str] | None) -> int | str | _os.PathLike[str] | None:
    if netns is None:
        return None
    if isinstance(netns, int):
        return _integer("netns", netns, _INT_MAX)
    if not isinstance(netns, (str, _os.PathLike)):
        raise TypeError(f"netns must be a file descriptor, a name or a path, not {type(netns).__name__}")
    path = _os.fspath(netns)
    if not isinstance(path, str):
        raise TypeError("netns must be a str path, not bytes")
    if not path or "\0" in path or path in {".", ".."}:
        raise ValueError(f"netns {path!r} is not the name or path of a network namespace")
    return netns
