"""Random messages of a spec, and what they say: written from the specs' own rules, with no code of the package.

`Messages(content).message(set, header)` returns a payload, and the mapping that `to_dict` must make of it.
"""

from __future__ import annotations

import ctypes
import ipaddress
import random
import struct
from typing import Any

FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "s8": "b", "s16": "h", "s32": "i", "s64": "q"}
CTYPES = {
    "u8": ctypes.c_uint8,
    "u16": ctypes.c_uint16,
    "u32": ctypes.c_uint32,
    "u64": ctypes.c_uint64,
    "s8": ctypes.c_int8,
    "s16": ctypes.c_int16,
    "s32": ctypes.c_int32,
    "s64": ctypes.c_int64,
}
NESTED = 0x8000  # NLA_F_NESTED
DEEPEST = 6


def attribute(number: int, payload: bytes, flags: int = 0) -> bytes:
    data = struct.pack("=HH", 4 + len(payload), number | flags) + payload
    return data + bytes(-len(data) % 4)


class Messages:
    def __init__(self, content: Any, seed: int = 0, share: float = 0.6) -> None:
        self.random = random.Random(seed)
        self.share = share  # of the attributes of a set that a message has
        self.definitions = {one["name"]: one for one in content.get("definitions") or ()}
        self.sets = {one["name"]: one for one in content["attribute-sets"]}
        self.messages = {one["name"]: one["formats"] for one in content.get("sub-messages") or ()}
        self.structs: dict[str, Any] = {}

    def attributes(self, of: str) -> list[tuple[int, dict[str, Any]]]:
        """Numbers and keys of the attributes of a set."""
        one = self.sets[of]
        if "subset-of" in one:
            base = {keys["name"]: (number, keys) for number, keys in self.attributes(one["subset-of"])}
            found = {keys["name"]: (base[keys["name"]][0], base[keys["name"]][1] | keys) for keys in one["attributes"]}
            return list(found.values())
        numbered: dict[int, dict[str, Any]] = {}
        number = 0
        for keys in one["attributes"]:
            number = keys.get("value", number + 1)
            numbered[number] = keys
        return list(numbered.items())

    def message(self, of: str | None, header: str | None) -> tuple[bytes, dict[str, Any]]:
        payload, said = b"", {}
        if of is not None:
            payload, said = self.set(of, {}, 0)
        return (payload, said) if header is None else self.behind(header, of, payload, said)

    def behind(self, header: str, of: str | None, payload: bytes, said: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """A struct before attributes. Its members lie beside them, in "header" those with the name of an attribute."""
        data, members = self.struct(header)
        names = {keys["name"] for _, keys in self.attributes(of)} if of else set()
        same = {name: value for name, value in members.items() if name in names}
        beside = {name: value for name, value in members.items() if name not in names}
        return data + bytes(-len(data) % 4) + payload, said | beside | ({"header": same} if same else {})

    # Sets

    def set(self, of: str, around: dict[str, Any], depth: int) -> tuple[bytes, dict[str, Any]]:
        """around: the values of the sets around it by name, as spec and number."""
        parts: list[bytes] = []
        said: dict[str, Any] = {}
        listed = self.attributes(of)
        selectors = {keys["selector"] for _, keys in listed if keys["type"] == "sub-message"}
        beside = dict(around)
        for number, keys in sorted(listed, key=lambda one: one[1]["name"] not in selectors):
            kind = keys["type"]
            if kind in ("pad", "unused"):
                continue
            if self.random.random() > self.share * (1 if depth < 2 else 0.5) and keys["name"] not in selectors:
                continue
            if depth >= DEEPEST and kind in ("nest", "indexed-array", "nest-type-value", "sub-message"):
                continue
            if keys["name"] in selectors:
                chosen = self.choice(listed, keys)
                if chosen is None:
                    continue
                data, value = chosen
                parts.append(attribute(number, data))
                said[keys["name"]] = beside[keys["name"]] = value
                continue
            found = self.attribute(number, keys, beside, depth)
            if found is not None:
                parts.append(found[0])
                said[keys["name"]] = found[1]
        return b"".join(parts), said

    def choice(self, listed: Any, keys: dict[str, Any]) -> tuple[bytes, Any] | None:
        """A value that chooses a sub-message."""
        by = next(k for _, k in listed if k["type"] == "sub-message" and k["selector"] == keys["name"])
        value = self.random.choice(self.messages[by["sub-message"]])["value"]
        if keys["type"] == "string":
            return value.encode() + b"\0", value
        entries = dict(self.entries(keys["enum"]))
        number = entries.get(value)
        if number is None:
            return None
        return self.pack(keys, number), value

    def attribute(self, number: int, keys: dict[str, Any], around: Any, depth: int) -> tuple[bytes, Any] | None:
        kind = keys["type"]
        if keys.get("multi-attr"):
            many = [self.value(keys, around, depth) for _ in range(self.random.randint(1, 3))]
            flags = NESTED if kind == "nest" else 0
            return b"".join(attribute(number, data, flags) for data, _ in many), [value for _, value in many]
        if kind == "indexed-array":
            items = []
            item = {name: key for name, key in keys.items() if name != "sub-type"} | {"type": keys["sub-type"]}
            for _ in range(self.random.randint(1, 3)):
                index = self.random.randint(0, 99)
                data, value = self.value(item, {}, depth)
                if keys["sub-type"] == "nest":
                    value[self.key_of(keys, "index")] = index
                items.append((attribute(index, data), value))
            return attribute(number, b"".join(data for data, _ in items), NESTED), [value for _, value in items]
        if kind == "nest-type-value":
            items = []
            for _ in range(self.random.randint(1, 3)):
                data, value = self.set(keys["nested-attributes"], {}, depth + 1)
                for name in reversed(keys["type-value"]):
                    level = self.random.randint(1, 99)
                    data = attribute(level, data)
                    value[self.key_of(keys, name)] = level
                items.append((data, value))
            return attribute(number, b"".join(data for data, _ in items), NESTED), [value for _, value in items]
        if kind == "sub-message":
            formats = self.messages[keys["sub-message"]]
            one = next((one for one in formats if one["value"] == around.get(keys["selector"])), None)
            if one is None:
                return None
            data, said, inner = b"", {}, one.get("attribute-set")
            if inner is not None:
                data, said = self.set(inner, around, depth + 1)
            if "fixed-header" in one:
                data, said = self.behind(one["fixed-header"], inner, data, said)
            return attribute(number, data), said
        data, value = self.value(keys, around, depth)
        return attribute(number, data, NESTED if kind == "nest" else 0), value

    def key_of(self, keys: dict[str, Any], name: str) -> str:
        """The name of the number of an element, which an attribute of the element may have."""
        taken = {each["name"] for _, each in self.attributes(keys["nested-attributes"])}
        return name.replace("-", "_") + "_" if name in taken else name

    def value(self, keys: dict[str, Any], around: Any, depth: int) -> tuple[bytes, Any]:
        """The payload of one attribute, and what it says."""
        kind, hint = keys["type"], keys.get("display-hint")
        if kind == "nest":
            return self.set(keys["nested-attributes"], around, depth + 1)
        if kind == "flag":
            return b"", True
        if kind == "string":
            text = "".join(self.random.choices("abcxyz0189é -", k=self.random.randint(0, 9)))
            return text.encode() + b"\0", text
        if kind == "bitfield32":
            selected = self.shown(keys, self.number("u32"))
            value = self.shown(keys, self.number("u32"))
            return struct.pack("=II", value[0], selected[0]), {"value": value[1], "selector": selected[1]}
        if kind in ("uint", "sint"):
            wide = self.random.choice(("32", "64"))
            number, shown = self.shown(keys, self.number(kind[0] + wide))
            return struct.pack("=" + FORMATS[kind[0] + wide], number), shown
        if kind in FORMATS:
            if kind == "u32" and hint == "ipv4" and keys.get("byte-order") == "big-endian":
                return self.address(4)
            number, shown = self.shown(keys, self.number(kind))
            return self.pack(keys, number), shown
        assert kind == "binary", kind
        if "struct" in keys:
            return self.struct(keys["struct"])
        if "sub-type" in keys:
            item = {**keys, "type": keys["sub-type"]}
            many = [self.shown(item, self.number(item["type"])) for _ in range(self.random.randint(0, 4))]
            return b"".join(self.pack(item, number) for number, _ in many), [shown for _, shown in many]
        if hint in ("ipv4", "ipv6", "ipv4-or-v6"):
            return self.address(self.random.choice((4, 16)))
        data = self.random.randbytes(self.random.choice((6, 4, 20)) if hint == "mac" else self.random.randint(0, 9))
        return data, data.hex(":") if hint == "mac" else data.hex()

    def address(self, size: int) -> tuple[bytes, str]:
        data = self.random.randbytes(size)
        return data, str(ipaddress.ip_address(data))

    def number(self, kind: str) -> int:
        width = 8 * struct.calcsize("=" + FORMATS[kind])
        value = self.random.getrandbits(self.random.choice((3, width)))
        return value - (1 << width) if kind[0] == "s" and value >> (width - 1) else value

    def pack(self, keys: dict[str, Any], number: int) -> bytes:
        return struct.pack((">" if keys.get("byte-order") == "big-endian" else "=") + FORMATS[keys["type"]], number)

    # Enums

    def entries(self, name: str) -> list[tuple[str, int]]:
        """The entries, flags as numbers of bits."""
        definition = self.definitions[name]
        value = definition.get("value-start", 0)
        found = []
        for one in definition["entries"]:
            entry = one if isinstance(one, dict) else {"name": one}
            value = entry.get("value", value)
            found.append((str(entry["name"]), value))
            value += 1
        return found

    def shown(self, keys: dict[str, Any], number: int) -> tuple[int, Any]:
        """A number, and what stands for it."""
        if "enum" not in keys:
            return number, number
        entries = self.entries(keys["enum"])
        if keys.get("enum-as-flags") or self.definitions[keys["enum"]]["type"] == "flags":
            texts: list[Any] = []
            left = number
            for name, bit in entries:
                if left >> bit & 1:
                    texts.append(name)
                    left -= 1 << bit
            return number, texts + ([left] if left else [])
        return number, next((name for name, value in entries if value == number), number)

    # Structs

    def layout(self, name: str) -> Any:
        """The struct as C lays it out."""
        if name not in self.structs:
            fields = []
            for position, member in enumerate(self.definitions[name]["members"]):
                if "struct" in member:
                    made = self.layout(member["struct"])
                elif member["type"] in CTYPES:
                    made = CTYPES[member["type"]]
                else:
                    size = member["len"]
                    made = ctypes.c_uint8 * (self.definitions[size]["value"] if isinstance(size, str) else size)
                fields.append((f"m{position}", made))
            self.structs[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
        return self.structs[name]

    def struct(self, name: str) -> tuple[bytes, dict[str, Any]]:
        layout = self.layout(name)
        data = bytearray(ctypes.sizeof(layout))
        said: dict[str, Any] = {}
        for position, member in enumerate(self.definitions[name]["members"]):
            place = getattr(layout, f"m{position}")
            kind, hint = member["type"], member.get("display-hint")
            part: bytes
            if kind == "pad":
                continue
            if "struct" in member:
                part, said[member["name"]] = self.struct(member["struct"])
            elif kind in FORMATS:
                if kind == "u32" and hint == "ipv4":
                    part, said[member["name"]] = self.address(4)
                else:
                    number, said[member["name"]] = self.shown(member, self.number(kind))
                    part = self.pack(member, number)
            else:
                part = self.random.randbytes(place.size)
                as_address = hint in ("ipv4", "ipv6") and place.size in (4, 16)
                text = str(ipaddress.ip_address(part)) if as_address else part.hex()
                said[member["name"]] = part.hex(":") if hint == "mac" and place.size == 6 else text
            data[place.offset : place.offset + place.size] = part
        return bytes(data), said
