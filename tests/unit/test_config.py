"""Config: defaults, checks, equality and copies."""

from __future__ import annotations

import copy
import inspect
import pathlib
import pickle
from typing import Any

import pytest

from netlink import Config

U32 = 0xFFFF_FFFF
INT = 0x7FFF_FFFF
DEFAULTS = {"groups": 0, "netns": None, "pid": 0, "strict": False, "message_buffer_size": 0}
VALUES = {"groups": 5, "netns": "blue", "pid": 42, "strict": True, "message_buffer_size": 65536}
MOST = {"groups": U32, "pid": U32, "message_buffer_size": INT, "netns": INT}

each_number = pytest.mark.parametrize(("name", "most"), MOST.items())


class Index:
    def __index__(self) -> int:
        return 5


class BytesPath:
    def __fspath__(self) -> bytes:
        return b"/run/netns/blue"


def values(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in DEFAULTS}


def test_defaults_and_signature() -> None:
    assert values(Config()) == DEFAULTS
    parameters = inspect.signature(Config).parameters
    assert {name: p.default for name, p in parameters.items()} == DEFAULTS
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_values() -> None:
    assert values(Config(**VALUES)) == VALUES


def test_keywords_only() -> None:
    with pytest.raises(TypeError):
        Config(5)
    with pytest.raises(TypeError, match="group"):
        Config(group=5)


@each_number
def test_range(name: str, most: int) -> None:
    for value in (0, 1, most):
        assert getattr(Config(**{name: value}), name) == value
    for value in (-1, most + 1, 1 << 64):
        with pytest.raises(ValueError, match=rf"{name}.*{value}"):
            Config(**{name: value})


@pytest.mark.parametrize("name", ["groups", "pid", "message_buffer_size"])
def test_an_index_becomes_an_int(name: str) -> None:
    assert type(getattr(Config(**{name: Index()}), name)) is int


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("groups", "pid", "message_buffer_size") for value in ("1", 1.0, None, True)),
        *(("strict", value) for value in (0, 1, None, "yes")),
        *(("netns", value) for value in (b"blue", True, 1.0, ["blue"], BytesPath())),
    ],
)
def test_wrong_type(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        Config(**{name: value})


@pytest.mark.parametrize("netns", ["blue", "/proc/self/ns/net", "./here", pathlib.Path("/run/netns/blue"), 0, 3])
def test_netns(netns: Any) -> None:
    assert Config(netns=netns).netns == netns


@pytest.mark.parametrize("netns", ["", ".", "..", "a\0b", pathlib.Path(".")])
def test_netns_that_names_none(netns: Any) -> None:
    with pytest.raises(ValueError, match="netns"):
        Config(netns=netns)


@pytest.mark.parametrize("name", [*DEFAULTS, "other"])
def test_frozen(name: str) -> None:
    config = Config(**VALUES)
    with pytest.raises(AttributeError, match=name):
        setattr(config, name, 1)
    with pytest.raises(AttributeError, match=name):
        delattr(config, name)
    assert values(config) == VALUES


@pytest.mark.parametrize("name", DEFAULTS)
def test_equality_sees_every_option(name: str) -> None:
    changed = Config(**(DEFAULTS | {name: VALUES[name]}))
    assert changed != Config()
    assert changed == Config(**{name: VALUES[name]})
    assert hash(changed) == hash(Config(**{name: VALUES[name]}))


def test_equality_with_other_types() -> None:
    assert Config() != DEFAULTS
    assert Config() is not None


@pytest.mark.parametrize("config", [Config(), Config(**VALUES), Config(netns=pathlib.PurePosixPath("/a"))])
def test_copies_and_repr(config: Config) -> None:
    pickles = [pickle.loads(pickle.dumps(config, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    evaluated = eval(repr(config), {"Config": Config, "PurePosixPath": pathlib.PurePosixPath})
    for again in (*pickles, copy.copy(config), copy.deepcopy(config), evaluated):
        assert again == config
        assert type(again) is Config


def test_init_again_changes_nothing() -> None:
    config = Config(**VALUES)
    with pytest.raises(AttributeError):
        config.__init__(pid=1)
    assert values(config) == VALUES
