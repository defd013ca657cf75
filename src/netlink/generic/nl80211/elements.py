"""Information elements: what beacons and probe responses of IEEE 802.11 say about a network."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from netlink.generic.nl80211.enums import AkmSuite, CipherSuite

__all__ = ["Element", "ElementId", "Elements", "Rsn", "channel_number"]


class ElementId(IntEnum):
    """What an element is about, of IEEE 802.11, section Elements. Others stay numbers."""

    SSID = 0
    SUPPORTED_RATES = 1
    DS_PARAMETER_SET = 3
    TIM = 5
    IBSS_PARAMETER_SET = 6
    COUNTRY = 7
    BSS_LOAD = 11
    POWER_CONSTRAINT = 32
    CHANNEL_SWITCH = 37
    ERP = 42
    HT_CAPABILITIES = 45
    RSN = 48
    EXTENDED_SUPPORTED_RATES = 50
    MOBILITY_DOMAIN = 54
    HT_OPERATION = 61
    RM_ENABLED_CAPABILITIES = 70
    MESH_CONFIGURATION = 113
    MESH_ID = 114
    EXTENDED_CAPABILITIES = 127
    VHT_CAPABILITIES = 191
    VHT_OPERATION = 192
    VENDOR = 221
    EXTENSION = 255


# Elements of the id EXTENSION begin with a second id.
_HE_CAPABILITIES, _EHT_CAPABILITIES = 35, 108
_WPA = bytes.fromhex("0050f201")  # an OUI and a type, as of vendors' elements
_WPS = bytes.fromhex("0050f204")
_BASIC = 0x80  # of a rate that all stations of the network have
_NO_RATES = 123  # from here on, what is among the rates is no rate but a feature that stations must have
_PRIVACY = 0x0010  # of the capability field


class Element(NamedTuple):
    """An element. id: an `ElementId`, or a number. data: its content, which begins with a second id for EXTENSION."""

    id: int
    data: bytes


class Rsn(NamedTuple):
    """How a network is protected: its RSN element, or that of WPA, the first version.

    group: how frames to all are encrypted, pairwise: those to one station. akms: how keys are agreed on. capabilities:
    the field of IEEE 802.11. group_management: how management frames to all are protected. What an element does not
    have is None or empty.
    """

    version: int | None = None
    group: int | None = None
    pairwise: tuple[int, ...] = ()
    akms: tuple[int, ...] = ()
    capabilities: int | None = None
    pmkids: tuple[bytes, ...] = ()
    group_management: int | None = None

    @property
    def mfp_required(self) -> bool:
        """Whether stations must protect management frames."""
        return bool((self.capabilities or 0) & 0x40)

    @property
    def mfp_capable(self) -> bool:
        """Whether stations may protect management frames."""
        return bool((self.capabilities or 0) & 0x80)


class _Reader:
    """Fields side by side, little-endian. A field that is not there as a whole is None, and so are all after it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, size: int) -> bytes | None:
        if len(self._data) < size:
            self._data = b""
            return None
        found, self._data = self._data[:size], self._data[size:]
        return found

    def number(self) -> int | None:
        found = self.take(2)
        return None if found is None else int.from_bytes(found, "little")

    def several(self, size: int) -> Iterator[bytes]:
        """Fields of a size, which follow their number."""
        for _ in range(self.number() or 0):
            found = self.take(size)
            if found is None:
                return
            yield found


def _suite(kind: type[CipherSuite | AkmSuite], data: bytes) -> int:
    """The suite with a number; the number itself if none is known."""
    number = int.from_bytes(data, "big")
    try:
        return kind(number)
    except ValueError:
        return number


def _rsn(data: bytes) -> Rsn:
    reader = _Reader(data)
    version = reader.number()
    group = reader.take(4)
    pairwise = tuple(_suite(CipherSuite, each) for each in reader.several(4))
    akms = tuple(_suite(AkmSuite, each) for each in reader.several(4))
    capabilities = reader.number()
    pmkids = tuple(reader.several(16))
    management = reader.take(4)
    return Rsn(
        version,
        None if group is None else _suite(CipherSuite, group),
        pairwise,
        akms,
        capabilities,
        pmkids,
        None if management is None else _suite(CipherSuite, management),
    )


class Elements(tuple[Element, ...]):
    """The elements of a frame, in their order: a tuple of `Element`, with properties for what is asked most.

    rest: what follows the last whole element, b"" for a frame that is whole. Any bytes can be read. A property is None
    if its element is not there, or too short.
    """

    rest: bytes

    def __new__(cls, data: bytes) -> Elements:
        found: list[Element] = []
        at = 0
        while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
            end = at + 2 + data[at + 1]
            found.append(Element(data[at], bytes(data[at + 2 : end])))
            at = end
        self = super().__new__(cls, found)
        self.rest = bytes(data[at:])
        return self

    def __getnewargs__(self) -> tuple[bytes]:
        return (b"".join(bytes([each.id, len(each.data)]) + each.data for each in self) + self.rest,)

    def get(self, id: int, extension: int | None = None) -> bytes | None:  # noqa: A002
        """The content of the first element with an id. extension: the second id of EXTENSION, which is left out."""
        for element in self:
            if element.id == id:
                if extension is None:
                    return element.data
                if element.data[:1] == bytes([extension]):
                    return element.data[1:]
        return None

    def vendor(self, prefix: bytes) -> bytes | None:
        """The content of the first vendor's element that begins with prefix, an OUI and a type, which are left out."""
        for id, data in self:  # noqa: A001
            if id == ElementId.VENDOR and data.startswith(prefix):
                return data[len(prefix) :]
        return None

    @property
    def ssid(self) -> bytes | None:
        """The name of the network: up to 32 bytes of any kind. b"" or zeros if it is hidden."""
        return self.get(ElementId.SSID)

    @property
    def rates(self) -> tuple[float, ...]:
        """The rates before 802.11n, in Mbit/s."""
        return tuple((rate & ~_BASIC) / 2 for rate in self._rates() if rate & ~_BASIC < _NO_RATES)

    @property
    def basic_rates(self) -> tuple[float, ...]:
        """Those of the rates that every station of the network must have."""
        return tuple((rate & ~_BASIC) / 2 for rate in self._rates() if rate & _BASIC and rate & ~_BASIC < _NO_RATES)

    def _rates(self) -> bytes:
        return (self.get(ElementId.SUPPORTED_RATES) or b"") + (self.get(ElementId.EXTENDED_SUPPORTED_RATES) or b"")

    @property
    def channel(self) -> int | None:
        """The number of the channel that the network says it is on."""
        for id in (ElementId.DS_PARAMETER_SET, ElementId.HT_OPERATION):  # noqa: A001
            data = self.get(id)
            if data:
                return data[0]
        return None

    @property
    def country(self) -> str | None:
        """The country whose rules the network follows, such as "DE"."""
        data = self.get(ElementId.COUNTRY)
        return data[:2].decode("ascii", "replace") if data and len(data) >= 2 else None

    @property
    def rsn(self) -> Rsn | None:
        """How the network is protected, by WPA2 and WPA3."""
        data = self.get(ElementId.RSN)
        return None if data is None else _rsn(data)

    @property
    def wpa(self) -> Rsn | None:
        """How the network is protected, by the first version of WPA."""
        data = self.vendor(_WPA)
        return None if data is None else _rsn(data)

    @property
    def has_wps(self) -> bool:
        """Whether stations can be set up by WPS."""
        return self.vendor(_WPS) is not None

    @property
    def generation(self) -> int | None:
        """The generation of Wi-Fi: 7 for 802.11be, 6 for 802.11ax, 5 for 802.11ac, 4 for 802.11n, None before that."""
        for generation, id, extension in (  # noqa: A001
            (7, ElementId.EXTENSION, _EHT_CAPABILITIES),
            (6, ElementId.EXTENSION, _HE_CAPABILITIES),
            (5, ElementId.VHT_CAPABILITIES, None),
            (4, ElementId.HT_CAPABILITIES, None),
        ):
            if self.get(id, extension) is not None:
                return generation
        return None

    def security(self, capability: int = 0) -> str:
        """How the network is protected, for people: "open", "WEP", "WPA2-PSK", "WPA2-PSK/WPA3-SAE".

        capability: that of the network, which tells WEP from open.
        """
        found: list[str] = []
        for element, version in ((self.wpa, "WPA"), (self.rsn, "WPA2")):
            if element is not None:
                # Without a list of its own a network of RSN has 802.1X.
                akms = element.akms or (AkmSuite.IEEE_8021X,)
                found += [_SECURITY.get(akm, f"{version}-{_AKM_NAMES.get(akm, '?')}") for akm in akms]
        if found:
            return "/".join(dict.fromkeys(found))
        return "WEP" if capability & _PRIVACY else "open"

    def __repr__(self) -> str:
        return f"<Elements {', '.join(_element_name(element) for element in self)}>"


_SECURITY: dict[int, str] = {
    **dict.fromkeys((AkmSuite.SAE, AkmSuite.FT_SAE, AkmSuite.SAE_EXT, AkmSuite.FT_SAE_EXT), "WPA3-SAE"),
    **dict.fromkeys((AkmSuite.SUITE_B_192, AkmSuite.FT_8021X_SHA384), "WPA3-802.1X-192"),
    AkmSuite.OWE: "OWE",
    AkmSuite.WFA_DPP: "DPP",
}
_AKM_NAMES: dict[int, str] = {
    **dict.fromkeys(
        (
            AkmSuite.PSK,
            AkmSuite.FT_PSK,
            AkmSuite.PSK_SHA256,
            AkmSuite.PSK_SHA384,
            AkmSuite.FT_PSK_SHA384,
            AkmSuite.WPA_PSK,
        ),
        "PSK",
    ),
    **dict.fromkeys(
        (
            AkmSuite.IEEE_8021X,
            AkmSuite.FT_8021X,
            AkmSuite.IEEE_8021X_SHA256,
            AkmSuite.SUITE_B,
            AkmSuite.WPA_8021X,
        ),
        "802.1X",
    ),
    **dict.fromkeys(
        (AkmSuite.FILS_SHA256, AkmSuite.FILS_SHA384, AkmSuite.FT_FILS_SHA256, AkmSuite.FT_FILS_SHA384), "FILS"
    ),
}


def _element_name(element: Element) -> str:
    try:
        return ElementId(element.id).name
    except ValueError:
        return str(element.id)


def channel_number(frequency: int) -> int | None:
    """The number of the channel in the middle of a frequency in MHz: 6 for 2437. None if there is none."""
    if frequency == 2484:
        return 14
    if frequency == 5935:
        return 2
    for low, high, base in ((2412, 2472, 2407), (4910, 4980, 4000), (5000, 5925, 5000), (5955, 7115, 5950)):
        if low <= frequency <= high and (frequency - base) % 5 == 0:
            return (frequency - base) // 5
    if 58320 <= frequency <= 70200 and (frequency - 56160) % 2160 == 0:
        return (frequency - 56160) // 2160
    return None
