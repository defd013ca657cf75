"""Datagrams without attributes, written as attributes: structs, texts and stamps, beside the same in Python."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink._engine.form import Layouts, Stamped, Texts
from netlink.schema import AttributeSet, binary, mac, repeated, string, u8, u16, u32, u64


class Event(AttributeSet):
    what = u32(1)
    left = u16(2)
    right = u32(3)
    name = string(4)
    data = binary(5)
    address = mac(6)


class Properties(AttributeSet):
    action = string(1)
    number = u64(2)
    small = u8(3)
    texts = repeated(4, string)


class Line(AttributeSet):
    type = u16(1)
    time = u64(2)
    serial = u64(3)
    text = string(4)


class Lines(AttributeSet):
    lines = repeated(1, Line)


def read(form: Any, datagram: bytes) -> Any:
    attributes = form.attributes(datagram)
    return None if attributes is None else form.declaration.decode(attributes)


# Structs


def layouts(**options: Any) -> Layouts[Event]:
    cases: Any = {7: {"left": 4}, 8: {"right": 4, "name": (8, 4)}, 9: {"address": 4}, 0: None}
    return Layouts(Event, {"what": 0}, on=0, cases=cases, otherwise={"data": 4}, **options)


def test_a_member_tells_the_layout() -> None:
    form = layouts()
    assert read(form, struct.pack("=IH", 7, 5)) == Event(what=7, left=5)
    assert read(form, struct.pack("=II4s", 8, 5, b"ab")) == Event(what=8, right=5, name="ab")
    assert read(form, struct.pack("=I6s", 9, bytes(6))) == Event(what=9, address="00:00:00:00:00:00")
    assert read(form, struct.pack("=I", 10) + b"rest") == Event(what=10, data=b"rest")


def test_a_datagram_of_no_interest() -> None:
    assert read(layouts(), struct.pack("=II", 0, 5)) is None


def test_a_struct_of_an_older_kernel_lacks_members() -> None:
    assert read(layouts(), struct.pack("=IB", 7, 5)) == Event(what=7)
    assert read(layouts(), struct.pack("=II3s", 8, 5, b"abc")) == Event(what=8, right=5)
    assert read(layouts(), b"abc") is None


def test_a_length_limits_the_rest() -> None:
    form = Layouts(Event, {"left": 2, "data": (4, 2)})
    assert read(form, struct.pack("=2xH", 3) + b"abcdef") == Event(left=3, data=b"abc")
    assert read(form, struct.pack("=2xH", 9) + b"abcdef") == Event(left=9, data=b"abcdef")
    assert read(form, struct.pack("=2xH", 9)) == Event(left=9, data=b"")
    assert read(form, b"abc") == Event()


def test_datagrams_begin_as_declared() -> None:
    form = layouts(begin=(4, b"ok"))
    assert read(form, struct.pack("=I", 10) + b"ok") == Event(what=10, data=b"ok")
    assert read(form, struct.pack("=I", 10) + b"no") is None
    assert read(form, struct.pack("=I", 10) + b"o") is None


def test_numbers_that_are_missing() -> None:
    form = Layouts(Event, {"what": 0}, on=0, cases={0: None}, counter=(4, 8))

    def take(what: int, number: int, counter: int) -> int:
        form.attributes(struct.pack("=III", what, number, counter))
        return form.missing

    assert [take(1, 100, 0), take(1, 7, 3), take(1, 101, 0), take(1, 8, 3)] == [0, 0, 0, 0]
    assert take(1, 104, 0) == 2
    assert take(0, 105, 0) == 2  # of no interest, but counted
    assert take(1, 106, 0) == 2
    assert take(1, 0xFFFFFFFF, 3) == 2 + 0xFFFFFFFF - 9
    assert take(1, 0, 3) == 2 + 0xFFFFFFFF - 9
    assert take(1, 5, 1 << 16) == take(1, 9, 1 << 16)
    before = form.missing
    form.attributes(struct.pack("=II", 1, 300))  # too short for a counter
    assert form.missing == before


@given(st.binary(max_size=40))
def test_any_bytes_as_a_struct(data: bytes) -> None:
    found = read(layouts(), data)
    value = struct.unpack_from("=I", data)[0] if len(data) >= 4 else None
    if value is None or value == 0:
        assert found is None
    else:
        assert found.what == value
        assert found.data == (None if value in (7, 8, 9) else data[4:])


# Texts


def test_texts_as_properties() -> None:
    data = b"add@/devices/x\0ACTION=add\0NUMBER=18446744073709551615\0SMALL=255\0OTHER=a=b\0EMPTY=\0"
    found = read(Texts(Properties, "texts"), data)
    assert found == Properties(
        action="add",
        number=(1 << 64) - 1,
        small=255,
        texts=("ACTION=add", "NUMBER=18446744073709551615", "SMALL=255", "OTHER=a=b", "EMPTY="),
    )


@pytest.mark.parametrize("value", ["", "x", "-1", "1 ", "+1", "256", "18446744073709551616", "0x1"])
def test_what_is_no_number_stays_a_text(value: str) -> None:
    found = read(Texts(Properties, "texts"), f"SMALL={value}\0".encode())
    assert found.small is None
    assert found.texts == (f"SMALL={value}",)


@given(st.lists(st.binary(max_size=12).filter(lambda text: b"\0" not in text), max_size=6), st.booleans())
def test_any_texts(texts: list[bytes], ended: bool) -> None:
    texts = [b"NUMBER=" + text if text[:1] == b"1" else text for text in texts]
    data = b"\0".join(texts) + b"\0" * ended
    found = read(Texts(Properties, "texts"), data)
    wanted = [text for text in texts if re.fullmatch(b"[^=]+=.*", text, re.DOTALL)]
    assert [text.encode("utf-8", "surrogateescape") for text in found.texts or ()] == wanted
    numbers = [text[7:] for text in wanted if text.startswith(b"NUMBER=") and re.fullmatch(b"[0-9]+", text[7:])]
    assert found.number == (int(numbers[-1]) if numbers else None)


def test_texts_within_a_datagram() -> None:
    form = Texts(Properties, "texts", begin=(0, b"head"), within=(4, 8))
    assert read(form, struct.pack("=4sII", b"head", 14, 9) + b"..ACTION=a") is None
    assert read(form, struct.pack("=4sII", b"head", 14, 8) + b"..ACTION=a").action == "a"
    assert read(form, struct.pack("=4sII", b"head", 0xFFFFFFFF, 2)) is None
    assert read(form, struct.pack("=4sII", b"head", 12, 0)) == Properties()
    assert read(form, struct.pack("=4sI", b"head", 12)) is None
    assert read(form, struct.pack("=4sII", b"tail", 12, 0)) is None


def test_wanted_texts() -> None:
    form = Texts(Properties, "texts", any_of=("KIND=a", "KIND=\udcff"))
    assert read(form, b"ACTION=x\0KIND=a\0").action == "x"
    assert read(form, b"KIND=\xff").texts == ("KIND=\udcff",)
    for other in (b"KIND=ab\0", b"KIND=\0", b"XKIND=a\0", b""):
        assert read(form, other) is None


def test_a_text_that_is_too_long() -> None:
    form = Texts(Properties, "texts")
    assert read(form, b"A=" + b"x" * 65529).texts == ("A=" + "x" * 65529,)
    with pytest.raises(ValueError, match="too long for an attribute"):
        form.attributes(b"A=" + b"x" * 65530)


# Stamps


def stamped() -> Stamped[Line]:
    return Stamped(Line, type="type", time="time", serial="serial", text="text")


def record(text: bytes, type_: int = 1300) -> bytes:
    return struct.pack("=IHHII", 16 + len(text), type_, 0, 0, 0) + text


def test_a_stamp() -> None:
    found = read(stamped(), record(b"audit(1364481363.243:24287): arch=c000003e syscall=2"))
    assert found == Line(type=1300, time=1364481363243, serial=24287, text="arch=c000003e syscall=2")


STAMP = re.compile(rb"audit\(([0-9]+)\.([0-9]{3}):([0-9]+)\):? ?")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"audit(",
        b"audit(1.243:7",
        b"audit(1.24:7): x",
        b"audit(1.2434:7): x",
        b"audit(.243:7): x",
        b"audit(1.243:): x",
        b"audit(1.243:99999999999999999999): x",
        b"audit(99999999999999999999.243:7): x",
        b"audit(18446744073709551615.243:7): x",
        b"audit(1,243:7): x",
        b"Audit(1.243:7): x",
    ],
)
def test_a_text_without_a_stamp(text: bytes) -> None:
    assert read(stamped(), record(text)) == Line(type=1300, text=text.decode())


@given(st.from_regex(STAMP) | st.binary(max_size=60), st.integers(0, 0xFFFF))
def test_any_stamp(text: bytes, type_: int) -> None:
    found = read(stamped(), record(text, type_))
    match = STAMP.match(text)
    time = match and int(match[1]) * 1000 + int(match[2])
    assert found.type == type_
    if match is None or time is None or time >= 1 << 64 or int(match[3]) >= 1 << 64:
        assert (found.time, found.serial) == (None, None)
        assert found.text.encode("utf-8", "surrogateescape") == text.rstrip(b"\0")
    else:
        assert (found.time, found.serial) == (time, int(match[3]))
        assert found.text.encode("utf-8", "surrogateescape") == text[match.end() :].rstrip(b"\0")


def test_a_stamped_record_fits_in_an_attribute() -> None:
    longest = b"audit(1.243:7): " + b"x" * 65491
    found = read(stamped(), record(longest))
    assert Lines.decode(Lines(lines=[found]).encode()).lines == (found,)
    with pytest.raises(ValueError, match="too long for an attribute"):
        stamped().attributes(record(longest + b"x"))


def test_a_datagram_without_a_header() -> None:
    assert read(stamped(), b"too short") is None


# Mistakes


def test_fields_that_do_not_fit() -> None:
    for make in (
        lambda: Layouts(Event, {"where": 0}),
        lambda: Layouts(Properties, {"texts": 0}),
        lambda: Texts(Properties, "action"),
        lambda: Texts(Event, "data"),
        lambda: Stamped(Line, type="time", time="time", serial="serial", text="text"),
        lambda: Stamped(Line, type="type", time="type", serial="serial", text="text"),
        lambda: Stamped(Line, type="type", time="time", serial="serial", text="serial"),
        lambda: Stamped(Line, type="type", time="time", serial="serial", text="words"),
    ):
        with pytest.raises(TypeError):
            make()


class Liar(dict[str, Any]):
    """A mapping that says that it is empty."""

    def __len__(self) -> int:
        return 0


def test_offsets_are_of_32_bits() -> None:
    far = (1 << 64) - 2
    for make in (
        lambda: Layouts(Event, {"what": far}),
        lambda: Layouts(Event, {"what": 0}, on=far),
        lambda: Layouts(Event, {"what": 0}, counter=(far, 0)),
        lambda: Layouts(Event, {"name": (0, far)}),
        lambda: Layouts(Event, {"data": (0, far)}),
        lambda: Texts(Properties, "texts", begin=(far, b"x")),
        lambda: Texts(Properties, "texts", within=(0, far)),
    ):
        with pytest.raises(OverflowError):
            make()
    form = Layouts(Event, {"what": 0xFFFFFFFF}, on=0xFFFFFFFF, cases={1: None}, begin=(0xFFFFFFFF, b""))
    assert read(form, bytes(8)) is None


def test_members_of_a_mapping_that_lies_about_its_length() -> None:
    form = Layouts(Event, Liar(what=0, left=4, right=6))
    assert read(form, struct.pack("=IHI", 7, 5, 9)) == Event(what=7, left=5, right=9)
