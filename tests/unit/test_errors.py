"""OpError and its kin: which built-in each is, what it says, and that it survives a pickle."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from typing import Any

import pytest

from netlink import DecodeError, EncodeError, OpError, Overrun, Policy
from netlink.consts import PolicyType

BUILTINS = {
    BlockingIOError: {"EAGAIN", "EALREADY", "EWOULDBLOCK", "EINPROGRESS"},
    BrokenPipeError: {"EPIPE", "ESHUTDOWN"},
    ChildProcessError: {"ECHILD"},
    ConnectionAbortedError: {"ECONNABORTED"},
    ConnectionRefusedError: {"ECONNREFUSED"},
    ConnectionResetError: {"ECONNRESET"},
    FileExistsError: {"EEXIST"},
    FileNotFoundError: {"ENOENT"},
    InterruptedError: {"EINTR"},
    IsADirectoryError: {"EISDIR"},
    NotADirectoryError: {"ENOTDIR"},
    PermissionError: {"EACCES", "EPERM"},
    ProcessLookupError: {"ESRCH"},
    TimeoutError: {"ETIMEDOUT"},
}
MAPPED = [(name, builtin) for builtin, names in BUILTINS.items() for name in sorted(names)]

VLAN = Policy(PolicyType.U16, min=1, max=4094)


def op_error(err: Any, **more: Any) -> OpError:
    return OpError("receive", err, **more)


# What it is


@pytest.mark.parametrize(("name", "builtin"), MAPPED)
def test_is_the_builtin_of_its_errno(name: str, builtin: type[OSError]) -> None:
    number = getattr(errno, name)
    for err in (op_error(number), op_error(OSError(number, "text"))):
        assert [b for b in BUILTINS if isinstance(err, b)] == [builtin]
        assert isinstance(err, OpError)
        assert err.errno == number


@pytest.mark.parametrize("number", sorted(errno.errorcode), ids=lambda n: errno.errorcode[n])
def test_maps_what_cpython_maps(number: int) -> None:
    builtin = type(OSError(number, ""))
    assert isinstance(op_error(number), builtin)
    assert [b for b in BUILTINS if isinstance(op_error(number), b)] == [b for b in BUILTINS if b is builtin]


def test_is_caught_as_the_builtin() -> None:
    with pytest.raises(FileNotFoundError) as info:
        raise op_error(errno.ENOENT)
    assert isinstance(info.value, OpError)
    assert type(info.value).__name__ == "OpError"
    assert type(info.value).__module__ == "netlink.errors"


@pytest.mark.parametrize("number", [errno.EINVAL, 524, 0x8000_0000])
def test_other_errnos_are_plain(number: int) -> None:
    assert type(op_error(number)) is OpError
    assert op_error(number).errno == number


@pytest.mark.parametrize("cls", [DecodeError, EncodeError])
def test_value_errors(cls: type[Exception]) -> None:
    assert issubclass(cls, ValueError)
    assert not issubclass(cls, OSError)


# What it holds and says


def test_defaults() -> None:
    err = OpError(op="send", err=errno.ENOBUFS)
    assert (err.op, err.errno, err.message, err.offset, err.sequence) == ("send", errno.ENOBUFS, "", 0, 0)
    assert (err.missing, err.nest, err.policy, err.attribute, err.hint) == (None, 0, None, "", "")
    assert err.strerror == os.strerror(errno.ENOBUFS)
    assert err.filename is None


def test_fields() -> None:
    err = OpError("receive", errno.EINVAL, message="no such thing", offset=8, sequence=7)
    assert (err.op, err.errno, err.message, err.offset, err.sequence) == (
        "receive",
        22,
        "no such thing",
        8,
        7,
    )


@pytest.mark.parametrize("arguments", [(), ("receive",), ("receive", 2, "message")])
def test_arguments(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        OpError(*arguments)
    with pytest.raises(TypeError):
        OpError("receive", 2, text="unknown name")


@pytest.mark.parametrize(
    ("err", "want"),
    [
        (op_error(errno.ENOENT), "netlink receive: No such file or directory"),
        (OpError("join-group", errno.EPERM), "netlink join-group: Operation not permitted"),
        (
            op_error(errno.EINVAL, message="bad attribute", offset=8),
            'netlink receive: Invalid argument, offset: 8, message: "bad attribute"',
        ),
        (
            op_error(errno.ENOENT, message="unknown"),
            'netlink receive: No such file or directory, message: "unknown"',
        ),
        (op_error(errno.EEXIST, offset=20), "netlink receive: File exists, offset: 20"),
        (
            op_error(errno.EINVAL, message="a\nnetlink receive: \x1b[31m\x9b\u202e\ud800 \u00e9"),
            'netlink receive: Invalid argument, message: "a\\nnetlink receive: \\x1b[31m\\x9b\\u202e\\ud800 \u00e9"',
        ),
        (
            op_error(errno.EINVAL, message='a "b" \\'),
            'netlink receive: Invalid argument, message: "a \\"b\\" \\\\"',
        ),
        (op_error(errno.EINVAL, missing=3), "netlink receive: Invalid argument, missing: attribute type 3"),
        (
            op_error(errno.EINVAL, missing=3, nest=20),
            "netlink receive: Invalid argument, missing: attribute type 3 in the attribute at offset 20",
        ),
        (
            op_error(errno.EINVAL, missing=3, nest=20, attribute="linkinfo.kind"),
            "netlink receive: Invalid argument, missing: linkinfo.kind",
        ),
        (
            op_error(errno.EINVAL, offset=24, attribute="linkinfo.data"),
            "netlink receive: Invalid argument, attribute: linkinfo.data, offset: 24",
        ),
        (
            op_error(errno.EINVAL, offset=24, missing=3, attribute="linkinfo.data"),
            "netlink receive: Invalid argument, attribute: linkinfo.data, offset: 24, missing: attribute type 3",
        ),
        (
            op_error(errno.ERANGE, offset=24, policy=VLAN, message="integer out of range"),
            "netlink receive: Numerical result out of range, offset: 24, allowed: u16 from 1 to 4094, "
            'message: "integer out of range"',
        ),
        (op_error(errno.EPERM, hint="be root"), "netlink receive: Operation not permitted: be root"),
        (
            op_error(errno.ENOENT, message="unknown", hint="load the module"),
            'netlink receive: No such file or directory, message: "unknown": load the module',
        ),
        (op_error(errno.EINVAL, sequence=5), "netlink receive: Invalid argument"),
        (op_error(524), f"netlink receive: {os.strerror(524)}"),  # ENOTSUPP of include/linux/errno.h
        (op_error(0x8000_0000), "netlink receive: Unknown error 2147483648"),  # -INT32_MIN
        (op_error(OSError(errno.EPROTO, "my words")), "netlink receive: my words"),
        (op_error(OSError("no errno")), "netlink receive: no errno"),
        (op_error(ValueError("text")), "netlink receive: text"),
        (op_error(ValueError()), "netlink receive: ValueError"),
        (op_error(EOFError()), "netlink receive: EOFError"),
    ],
)
def test_str(err: OpError, want: str) -> None:
    assert str(err) == want


VALUES: dict[str, Any] = {
    "message": "m",
    "offset": 8,
    "sequence": 7,
    "missing": 3,
    "nest": 20,
    "policy": VLAN,
    "attribute": "linkinfo.data.id",
    "hint": "be root",
}


@pytest.mark.parametrize("name", VALUES)
def test_an_error_under_another_name_has_the_same_fields(name: str) -> None:
    again = OpError("dial", op_error(errno.EINVAL, **{name: VALUES[name]}))
    assert again.op == "dial"
    assert {key: getattr(again, key) for key in VALUES} == {
        key: VALUES[key] if key == name else getattr(op_error(errno.EINVAL), key) for key in VALUES
    }


@pytest.mark.parametrize("name", VALUES)
def test_an_error_under_another_name_has_its_own_first(name: str) -> None:
    other = op_error(errno.EINVAL, **VALUES)
    own = {"policy": Policy(max=1)}.get(name, 99 if isinstance(VALUES[name], int) else "own")
    again = OpError("dial", other, **{name: own})
    assert {key: getattr(again, key) for key in VALUES} == {**VALUES, name: own}


def test_a_hint_is_set_on_the_error_itself() -> None:
    err = op_error(errno.EPERM)
    err.hint = "be root"
    assert str(err) == "netlink receive: Operation not permitted: be root"
    assert err.strerror == os.strerror(errno.EPERM)


# Policies


@pytest.mark.parametrize(
    ("policy", "want"),
    [
        (Policy(), ""),
        (VLAN, "u16 from 1 to 4094"),
        (Policy(PolicyType.S32, min=-5, max=5), "s32 from -5 to 5"),
        (Policy(PolicyType.U8, min=4, max=4), "u8 4"),
        (Policy(PolicyType.U8, min=4), "u8 from 4 up"),
        (Policy(PolicyType.U8, max=4), "u8 up to 4"),
        (Policy(PolicyType.NUL_STRING, max_length=15), "nul string up to 15 bytes long"),
        (Policy(PolicyType.BINARY, min_length=4, max_length=4), "binary 4 bytes long"),
        (Policy(PolicyType.BITFIELD32, mask=3), "bitfield32 within the bits 0x3"),
        (Policy(PolicyType.U8, min=0, max=0), "u8 0"),
        (Policy(PolicyType.FLAG), "flag"),
        (Policy(99), "type 99"),
    ],
)
def test_str_of_a_policy(policy: Policy, want: str) -> None:
    assert str(policy) == want


def test_a_policy_is_immutable_and_compares_by_value() -> None:
    assert Policy(PolicyType.U16, 1, 4094) == VLAN
    assert hash(Policy(PolicyType.U16, 1, 4094)) == hash(VLAN)
    with pytest.raises(AttributeError):
        VLAN.min = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        VLAN.other = 2  # type: ignore[attr-defined]


# Exceptions as err


@pytest.mark.parametrize(
    ("cause", "number", "text"),
    [
        (OSError(errno.EPROTO, "my words"), errno.EPROTO, "my words"),
        (FileNotFoundError(errno.ENOENT, "gone", "/a/file"), errno.ENOENT, "gone"),
        (TimeoutError(), errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
        (TimeoutError("too slow"), errno.ETIMEDOUT, "too slow"),
        (OpError("send", errno.EBADF), errno.EBADF, os.strerror(errno.EBADF)),
        (OSError("text"), None, None),
        (ValueError("text"), None, None),
    ],
    ids=repr,
)
def test_exception_as_err(cause: BaseException, number: int | None, text: str | None) -> None:
    err = op_error(cause)
    assert (err.op, err.errno, err.strerror) == ("receive", number, text)
    assert err.timeout is isinstance(cause, TimeoutError)


# Properties

TIMEOUTS = {"ETIMEDOUT", "EAGAIN"}
TEMPORARY = {"EINTR", "ENOBUFS", "EMFILE", "ENFILE", "ENOMEM"} | TIMEOUTS


@pytest.mark.parametrize("number", sorted(errno.errorcode), ids=lambda n: errno.errorcode[n])
def test_timeout_and_temporary(number: int) -> None:
    err = op_error(number)
    assert err.timeout is (errno.errorcode[number] in TIMEOUTS)
    assert err.temporary is (errno.errorcode[number] in TEMPORARY)


def test_no_errno_is_neither() -> None:
    assert not op_error(ValueError("x")).timeout
    assert not op_error(ValueError("x")).temporary


# Copies


@pytest.mark.parametrize(
    "err",
    [
        OpError("receive", errno.ENOENT, message="m", offset=8, sequence=7),
        OpError("receive", errno.EINVAL, **VALUES),
        OpError("dial", errno.EPERM),
        OpError("receive", 524),
        OpError("receive", 0x8000_0000),
        OpError("receive", ValueError("text"), message="m"),
        OpError("receive", TimeoutError("too slow")),
        OpError("validate", OSError(errno.EPROTO, "sequence number 3 in a reply to 2"), sequence=2),
        Overrun(7),
    ],
    ids=lambda err: str(err)[:60],
)
def test_copies_are_the_same(err: OpError) -> None:
    pickles = [pickle.loads(pickle.dumps(err, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for again in (*pickles, copy.copy(err), copy.deepcopy(err)):
        assert type(again) is type(err)
        assert str(again) == str(err)
        assert again.args == err.args
        for name in ("op", "errno", "strerror", "timeout", "temporary", *VALUES):
            assert getattr(again, name) == getattr(err, name)


def test_notes_survive_a_pickle() -> None:
    for err in (op_error(errno.ENOENT), Overrun(7)):
        err.add_note("while dumping")
        assert pickle.loads(pickle.dumps(err)).__notes__ == ["while dumping"]


def test_an_overrun_counts_what_was_lost() -> None:
    again = pickle.loads(pickle.dumps(Overrun(1)))
    assert (again.lost, again.errno) == (1, errno.ENOBUFS)
    assert "1 event was lost" in str(again)
    assert "2 events were lost" in str(Overrun(2))
