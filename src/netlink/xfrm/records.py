"""States, policies and events of IPsec, as linux/xfrm.h has them."""

from __future__ import annotations

import socket
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Self

from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Struct,
    be16,
    be32,
    binary,
    event,
    flag,
    ip,
    packed,
    pad,
    rest,
    s32,
    struct,
    submessage,
    u8,
    u16,
    u32,
    u64,
)

INFINITE = (1 << 64) - 1
"""No limit of bytes or packets (XFRM_INF)."""


# Numbers


class Command(IntEnum):
    """Message types (XFRM_MSG_*)."""

    NEWSA = 16  # XFRM_MSG_NEWSA
    DELSA = 17  # XFRM_MSG_DELSA
    GETSA = 18  # XFRM_MSG_GETSA
    NEWPOLICY = 19  # XFRM_MSG_NEWPOLICY
    DELPOLICY = 20  # XFRM_MSG_DELPOLICY
    GETPOLICY = 21  # XFRM_MSG_GETPOLICY
    ALLOCSPI = 22  # XFRM_MSG_ALLOCSPI
    ACQUIRE = 23  # XFRM_MSG_ACQUIRE
    EXPIRE = 24  # XFRM_MSG_EXPIRE
    UPDPOLICY = 25  # XFRM_MSG_UPDPOLICY
    UPDSA = 26  # XFRM_MSG_UPDSA
    POLEXPIRE = 27  # XFRM_MSG_POLEXPIRE
    FLUSHSA = 28  # XFRM_MSG_FLUSHSA
    FLUSHPOLICY = 29  # XFRM_MSG_FLUSHPOLICY
    NEWAE = 30  # XFRM_MSG_NEWAE
    GETAE = 31  # XFRM_MSG_GETAE
    REPORT = 32  # XFRM_MSG_REPORT
    MIGRATE = 33  # XFRM_MSG_MIGRATE
    NEWSADINFO = 34  # XFRM_MSG_NEWSADINFO
    GETSADINFO = 35  # XFRM_MSG_GETSADINFO
    NEWSPDINFO = 36  # XFRM_MSG_NEWSPDINFO
    GETSPDINFO = 37  # XFRM_MSG_GETSPDINFO
    MAPPING = 38  # XFRM_MSG_MAPPING
    SETDEFAULT = 39  # XFRM_MSG_SETDEFAULT
    GETDEFAULT = 40  # XFRM_MSG_GETDEFAULT


class Mode(IntEnum):
    """How a packet is protected (XFRM_MODE_*)."""

    TRANSPORT = 0  # XFRM_MODE_TRANSPORT, its payload
    TUNNEL = 1  # XFRM_MODE_TUNNEL, the whole packet, in another one
    ROUTEOPTIMIZATION = 2  # XFRM_MODE_ROUTEOPTIMIZATION, of Mobile IPv6
    IN_TRIGGER = 3  # XFRM_MODE_IN_TRIGGER, of Mobile IPv6
    BEET = 4  # XFRM_MODE_BEET, a tunnel whose inner addresses are fixed
    IPTFS = 5  # XFRM_MODE_IPTFS, a tunnel that hides the sizes of packets: RFC 9347


class Direction(IntEnum):
    """The packets that a policy is for (XFRM_POLICY_*)."""

    IN = 0  # XFRM_POLICY_IN, for this host
    OUT = 1  # XFRM_POLICY_OUT, of this host or forwarded
    FWD = 2  # XFRM_POLICY_FWD, from elsewhere, to be forwarded


class StateDirection(IntEnum):
    """The packets that a state is for (XFRM_SA_DIR_*)."""

    IN = 1  # XFRM_SA_DIR_IN
    OUT = 2  # XFRM_SA_DIR_OUT


class Action(IntEnum):
    """What a policy does with packets (XFRM_POLICY_*)."""

    ALLOW = 0  # XFRM_POLICY_ALLOW, protects them by its templates, or lets them pass if it has none
    BLOCK = 1  # XFRM_POLICY_BLOCK, drops them


class Default(IntEnum):
    """What happens to packets without a policy (XFRM_USERPOLICY_*)."""

    UNSPEC = 0  # XFRM_USERPOLICY_UNSPEC, of a request: it stays
    BLOCK = 1  # XFRM_USERPOLICY_BLOCK
    ACCEPT = 2  # XFRM_USERPOLICY_ACCEPT


class PolicyType(IntEnum):
    """Types of policies (XFRM_POLICY_TYPE_*)."""

    MAIN = 0  # XFRM_POLICY_TYPE_MAIN
    SUB = 1  # XFRM_POLICY_TYPE_SUB, of Mobile IPv6
    ANY = 255  # XFRM_POLICY_TYPE_ANY


class Share(IntEnum):
    """Who may share a state (XFRM_SHARE_*)."""

    ANY = 0  # XFRM_SHARE_ANY
    SESSION = 1  # XFRM_SHARE_SESSION
    USER = 2  # XFRM_SHARE_USER
    UNIQUE = 3  # XFRM_SHARE_UNIQUE


class StateFlags(IntFlag):
    """Flags of a state (XFRM_STATE_*)."""

    NOECN = 1  # XFRM_STATE_NOECN
    DECAP_DSCP = 2  # XFRM_STATE_DECAP_DSCP
    NOPMTUDISC = 4  # XFRM_STATE_NOPMTUDISC
    WILDRECV = 8  # XFRM_STATE_WILDRECV
    ICMP = 16  # XFRM_STATE_ICMP
    AF_UNSPEC = 32  # XFRM_STATE_AF_UNSPEC, for packets of any address family
    ALIGN4 = 64  # XFRM_STATE_ALIGN4
    ESN = 128  # XFRM_STATE_ESN, sequence numbers of 64 bits


class ExtraFlags(IntFlag):
    """Further flags of a state (XFRM_SA_XFLAG_*)."""

    DONT_ENCAP_DSCP = 1  # XFRM_SA_XFLAG_DONT_ENCAP_DSCP
    OSEQ_MAY_WRAP = 2  # XFRM_SA_XFLAG_OSEQ_MAY_WRAP


class PolicyFlags(IntFlag):
    """Flags of a policy (XFRM_POLICY_*)."""

    LOCALOK = 1  # XFRM_POLICY_LOCALOK, sockets may have another one
    ICMP = 2  # XFRM_POLICY_ICMP, ICMP errors about its packets as well
    CPU_ACQUIRE = 4  # XFRM_POLICY_CPU_ACQUIRE, a state for each CPU


class OffloadFlags(IntFlag):
    """Flags of the work of a network device (XFRM_OFFLOAD_*)."""

    IPV6 = 1  # XFRM_OFFLOAD_IPV6
    INBOUND = 2  # XFRM_OFFLOAD_INBOUND
    PACKET = 4  # XFRM_OFFLOAD_PACKET, all of it, not the encryption alone


class AEFlags(IntFlag):
    """What a request asks for, or why an event came (XFRM_AE_*)."""

    UNSPEC = 0  # XFRM_AE_UNSPEC
    RTHR = 1  # XFRM_AE_RTHR, the threshold of replay
    RVAL = 2  # XFRM_AE_RVAL, the counters of replay
    LVAL = 4  # XFRM_AE_LVAL, the lifetime
    ETHR = 8  # XFRM_AE_ETHR, the threshold of the timer
    CR = 16  # XFRM_AE_CR, because of the counters of replay
    CE = 32  # XFRM_AE_CE, because of the timer
    CU = 64  # XFRM_AE_CU, because of a request


class Event(IntEnum):
    """What happened to a state or policy."""

    NEW = 1
    UPDATE = 2
    DELETE = 3


# Addresses


def _family_of(address: Any) -> int:
    """The address family of an address or of its text, which may be a prefix; 0 for none."""
    if address is None:
        return 0
    if isinstance(address, str):
        address = ip_network(address) if "/" in address else ip_address(address)
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _with_family(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """The arguments of a constructor, with the family of its addresses. ValueError if they are of two."""
    family = values.get("family") or 0
    for name in names:
        found = _family_of(values.get(name))
        if family and found and found != family:
            raise ValueError(f"{name} {values[name]} is of another address family than the rest")
        family = family or found
    if family and values.get("header") is None:
        values["family"] = family
    return values


# Structs


class Selector(Struct, aligned=True):
    """struct xfrm_selector: packets.

    saddr, daddr: with the bits prefixlen_s and prefixlen_d; no bits for any address. sport, dport: under a mask; 0 for
    any. Of ICMP sport is the type and dport the code. proto: 0 for any. ifindex: 0 for any. user: not used.

    The constructor takes prefixes for saddr and daddr, such as "192.0.2.0/24", and sets family (AF_INET without an
    address), the lengths, and the masks of ports that are given, unless they are given. ValueError for an address with
    bits behind the length of its prefix.
    """

    daddr: IP = ip(size=16, family="family")
    saddr: IP = ip(size=16, family="family")
    dport: Int = be16()
    dport_mask: Int = be16()
    sport: Int = be16()
    sport_mask: Int = be16()
    family: Int = u16()
    prefixlen_d: Int = u8()
    prefixlen_s: Int = u8()
    proto: Int = u8()
    ifindex: Int = s32()
    user: Int = u32()

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            values = _with_family(values, "daddr", "saddr")
            for name, length in (("daddr", "prefixlen_d"), ("saddr", "prefixlen_s")):
                if values.get(name) is not None:
                    network = ip_network(values[name])
                    values[name] = network.network_address
                    if values.get(length) is None:
                        values[length] = network.prefixlen
            for name in ("dport", "sport"):
                if values.get(name) is not None and values.get(f"{name}_mask") is None:
                    values[f"{name}_mask"] = 0xFFFF
            values.setdefault("family", socket.AF_INET)
            super().__init__(**values)


class Lifetime(Struct, aligned=True):
    """struct xfrm_lifetime_cfg: when a state or policy expires.

    At a soft limit an event tells so, and a key manager makes another one; at a hard limit it is removed. Seconds are
    since it was added, and since it was first used; 0 for no limit. Of bytes and packets 0 is a limit that is reached
    at once: the constructor has `INFINITE` in the place of those that are not given.
    """

    soft_byte_limit: Int = u64()
    hard_byte_limit: Int = u64()
    soft_packet_limit: Int = u64()
    hard_packet_limit: Int = u64()
    soft_add_expires_seconds: Int = u64()
    hard_add_expires_seconds: Int = u64()
    soft_use_expires_seconds: Int = u64()
    hard_use_expires_seconds: Int = u64()

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            for name in ("soft_byte_limit", "hard_byte_limit", "soft_packet_limit", "hard_packet_limit"):
                if values.get(name) is None:
                    values[name] = INFINITE
            super().__init__(**values)


class Usage(Struct, aligned=True):
    """struct xfrm_lifetime_cur: what a state or policy was used for.

    add_time, use_time: when it was added and first used, in seconds since 1970; 0 for never.
    """

    bytes: Int = u64()
    packets: Int = u64()
    add_time: Int = u64()
    use_time: Int = u64()


class Stats(Struct, aligned=True):
    """struct xfrm_stats: packets that a state refused. replay_window: before the window of replay."""

    replay_window: Int = u32()
    replay: Int = u32()
    integrity_failed: Int = u32()


class Replay(Struct, aligned=True):
    """struct xfrm_replay_state: sequence numbers that were sent and received, and which before them were received."""

    oseq: Int = u32()
    seq: Int = u32()
    bitmap: Int = u32()


class Mark(Struct, aligned=True):
    """struct xfrm_mark: the marks of packets, under a mask."""

    v: Int = u32()
    m: Int = u32()


class UserPolicyType(Struct, aligned=True):
    """struct xfrm_userpolicy_type."""

    type: Member[PolicyType] = u8(enum=PolicyType)
    reserved1: Int = u16()
    reserved2: Int = u8()


class Template(Struct, aligned=True):
    """struct xfrm_user_tmpl: the states that protect the packets of a policy.

    saddr, daddr: of the tunnel; absent in transport mode. spi, reqid: of the states; 0 for any. optional: 1 if packets
    pass without such a state, too. aalgos, ealgos, calgos: bits of the algorithms that may be used.

    The constructor sets family by the addresses (AF_INET without one), and all bits of algorithms, unless they are
    given.
    """

    daddr: IP = ip(size=16, family="family")
    spi: Int = be32()
    proto: Int = u8()
    id_end = pad(3)
    family: Int = u16()
    family_end = pad(2)
    saddr: IP = ip(size=16, family="family")
    reqid: Int = u32()
    mode: Member[Mode] = u8(enum=Mode)
    share: Member[Share] = u8(enum=Share)
    optional: Int = u8()
    aalgos: Int = u32()
    ealgos: Int = u32()
    calgos: Int = u32()

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            values = _with_family(values, "daddr", "saddr")
            values.setdefault("family", socket.AF_INET)
            for name in ("aalgos", "ealgos", "calgos"):
                if values.get(name) is None:
                    values[name] = 0xFFFFFFFF
            super().__init__(**values)


class Encap(Struct, aligned=True):
    """struct xfrm_encap_tmpl: ESP in UDP or TCP, to pass a translation of addresses.

    type: 2 for UDP (UDP_ENCAP_ESPINUDP of linux/udp.h), 7 for TCP. oa: the address before the translation, as of
    xfrm_address_t: an IPv4 address has the first 4 bytes.
    """

    type: Int = u16()
    sport: Int = be16()
    dport: Int = be16()
    dport_end = pad(2)
    oa: Bytes = binary(size=16)


class Offload(Struct, aligned=True):
    """struct xfrm_user_offload: the network device that does the work."""

    ifindex: Int = s32()
    flags: Member[OffloadFlags] = u8(enum=OffloadFlags)


class AddressFilter(Struct, aligned=True):
    """struct xfrm_address_filter: states between addresses under prefixes of these lengths."""

    saddr: IP = ip(size=16, family="family")
    daddr: IP = ip(size=16, family="family")
    family: Int = u16()
    splen: Int = u8()
    dplen: Int = u8()

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_with_family(values, "daddr", "saddr"))


class KMAddress(Struct, aligned=True):
    """struct xfrm_user_kmaddress: the addresses of the key managers."""

    local: IP = ip(size=16, family="family")
    remote: IP = ip(size=16, family="family")
    reserved: Int = u32()
    family: Int = u16()


class Migrate(Struct, aligned=True):
    """struct xfrm_user_migrate: old and new addresses of states and templates."""

    old_daddr: IP = ip(size=16, family="old_family")
    old_saddr: IP = ip(size=16, family="old_family")
    new_daddr: IP = ip(size=16, family="new_family")
    new_saddr: IP = ip(size=16, family="new_family")
    proto: Int = u8()
    mode: Member[Mode] = u8(enum=Mode)
    reserved: Int = u16()
    reqid: Int = u32()
    old_family: Int = u16()
    new_family: Int = u16()


class HashInfo(Struct, aligned=True):
    """struct xfrmu_sadhinfo, struct xfrmu_spdhinfo: buckets of a hash table, now and at most."""

    count: Int = u32()
    max: Int = u32()


class PolicyCounts(Struct, aligned=True):
    """struct xfrmu_spdinfo: the number of policies by direction; those with an s at the end are of sockets."""

    incnt: Int = u32()
    outcnt: Int = u32()
    fwdcnt: Int = u32()
    inscnt: Int = u32()
    outscnt: Int = u32()
    fwdscnt: Int = u32()


class HashThreshold(Struct, aligned=True):
    """struct xfrmu_spdhthresh: policies whose prefixes have at least these lengths are in the hash table."""

    lbits: Int = u8()
    rbits: Int = u8()


# Algorithms


class AlgoHeader(Struct, aligned=True):
    """struct xfrm_algo, before the key."""

    alg_name: Bytes = binary(size=64)
    alg_key_len: Int = u32()


class AuthHeader(Struct, aligned=True):
    """struct xfrm_algo_auth, before the key."""

    alg_name: Bytes = binary(size=64)
    alg_key_len: Int = u32()
    alg_trunc_len: Int = u32()


class AeadHeader(Struct, aligned=True):
    """struct xfrm_algo_aead, before the key."""

    alg_name: Bytes = binary(size=64)
    alg_key_len: Int = u32()
    alg_icv_len: Int = u32()


def _name(name: str) -> bytes:
    """The name of an algorithm, as char[64]. ValueError if it is too long."""
    data = name.encode()
    if not 0 < len(data) < 64:
        raise ValueError(f"the name of an algorithm has from 1 to 63 bytes, not {len(data)}")
    return data.ljust(64, b"\0")


def _text(name: bytes | None) -> str:
    return (name or b"").split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


class Algo(AttributeSet, header=AlgoHeader):
    """An algorithm with its key: struct xfrm_algo. The key is not shown by `repr`. alg_key_len: its bits."""

    header: AlgoHeader | None = None
    alg_name: Bytes = AlgoHeader.alg_name
    alg_key_len: Int = AlgoHeader.alg_key_len
    key: Bytes = rest()

    @classmethod
    def of(cls, name: str, key: bytes = b"") -> Self:
        """The algorithm of a name, such as "cbc(aes)", with a key."""
        return cls(alg_name=_name(name), alg_key_len=8 * len(key), key=key)

    @property
    def name(self) -> str:
        """Its name in the kernel, such as "cbc(aes)"."""
        return _text(self.alg_name)

    def __repr__(self) -> str:
        return f"Algo({self.name!r}, key of {self.alg_key_len} bits)"


class AuthAlgo(AttributeSet, header=AuthHeader):
    """An algorithm of authentication with its key: struct xfrm_algo_auth. The key is not shown by `repr`.

    alg_key_len: bits of the key. alg_trunc_len: bits of the checksum in a packet.
    """

    header: AuthHeader | None = None
    alg_name: Bytes = AuthHeader.alg_name
    alg_key_len: Int = AuthHeader.alg_key_len
    alg_trunc_len: Int = AuthHeader.alg_trunc_len
    key: Bytes = rest()

    @classmethod
    def of(cls, name: str, key: bytes, trunc_len: int = 0) -> Self:
        """The algorithm of a name, such as "hmac(sha256)", with a key.

        trunc_len: bits of the checksum in a packet; 0 for those of the kernel's table.
        """
        return cls(alg_name=_name(name), alg_key_len=8 * len(key), alg_trunc_len=trunc_len, key=key)

    @property
    def name(self) -> str:
        """Its name in the kernel, such as "hmac(sha256)"."""
        return _text(self.alg_name)

    def __repr__(self) -> str:
        return f"AuthAlgo({self.name!r}, key of {self.alg_key_len} bits, trunc_len={self.alg_trunc_len})"


class AeadAlgo(AttributeSet, header=AeadHeader):
    """An algorithm of encryption and authentication with its key: struct xfrm_algo_aead.

    The key is not shown by `repr`. alg_key_len: bits of the key, with its salt. alg_icv_len: bits of the checksum.
    """

    header: AeadHeader | None = None
    alg_name: Bytes = AeadHeader.alg_name
    alg_key_len: Int = AeadHeader.alg_key_len
    alg_icv_len: Int = AeadHeader.alg_icv_len
    key: Bytes = rest()

    @classmethod
    def of(cls, name: str, key: bytes, icv_len: int = 128) -> Self:
        """The algorithm of a name, such as "rfc4106(gcm(aes))", with a key and its salt, and the checksum's bits."""
        return cls(alg_name=_name(name), alg_key_len=8 * len(key), alg_icv_len=icv_len, key=key)

    @property
    def name(self) -> str:
        """Its name in the kernel, such as "rfc4106(gcm(aes))"."""
        return _text(self.alg_name)

    def __repr__(self) -> str:
        return f"AeadAlgo({self.name!r}, key of {self.alg_key_len} bits, icv_len={self.alg_icv_len})"


class EsnHeader(Struct, aligned=True):
    """struct xfrm_replay_state_esn, before the bitmap."""

    bmp_len: Int = u32()
    oseq: Int = u32()
    seq: Int = u32()
    oseq_hi: Int = u32()
    seq_hi: Int = u32()
    replay_window: Int = u32()


class ReplayEsn(AttributeSet, header=EsnHeader):
    """Sequence numbers of 64 bits, and a window of any size: struct xfrm_replay_state_esn.

    bmp_len: 32 bits each of the bitmap. replay_window: packets.
    """

    header: EsnHeader | None = None
    bmp_len: Int = EsnHeader.bmp_len
    oseq: Int = EsnHeader.oseq
    seq: Int = EsnHeader.seq
    oseq_hi: Int = EsnHeader.oseq_hi
    seq_hi: Int = EsnHeader.seq_hi
    replay_window: Int = EsnHeader.replay_window
    bitmap: Bytes = rest()

    @classmethod
    def of(cls, replay_window: int) -> Self:
        """A window of so many packets, at most 4096, for a new state."""
        if not 0 <= replay_window <= 4096:
            raise ValueError(f"replay_window must be from 0 to 4096 packets, not {replay_window}")
        words = (replay_window + 31) // 32
        return cls(bmp_len=words, replay_window=replay_window, bitmap=bytes(4 * words))


class SecCtxHeader(Struct, aligned=True):
    """struct xfrm_user_sec_ctx, before the text."""

    len: Int = u16()
    exttype: Int = u16()
    ctx_alg: Int = u8()
    ctx_doi: Int = u8()
    ctx_len: Int = u16()


class SecurityContext(AttributeSet, header=SecCtxHeader):
    """A context of SELinux: what the bytes of `sec_ctx` are. `SecurityContext.decode(policy.sec_ctx).context`."""

    header: SecCtxHeader | None = None
    context: Bytes = rest()

    @classmethod
    def of(cls, context: str) -> Self:
        """The context with this text."""
        data = context.encode() + b"\0"
        size = SecCtxHeader.__table__.wire_size
        # The type of the attribute, XFRM_SC_ALG_SELINUX and XFRM_SC_DOI_LSM.
        header = SecCtxHeader(len=size + len(data), exttype=8, ctx_alg=1, ctx_doi=1, ctx_len=len(data))
        return cls(header=header, context=data)


# States


class UserSaInfo(Struct, aligned=True):
    """struct xfrm_usersa_info."""

    sel: Field[Selector | None] = struct(None, Selector)
    daddr: IP = ip(size=16, family="family")
    spi: Int = be32()
    proto: Int = u8()
    id_end = pad(3)
    saddr: IP = ip(size=16, family="family")
    lft: Field[Lifetime | None] = struct(None, Lifetime)
    curlft: Field[Usage | None] = struct(None, Usage)
    stats: Field[Stats | None] = struct(None, Stats)
    seq: Int = u32()
    reqid: Int = u32()
    family: Int = u16()
    mode: Member[Mode] = u8(enum=Mode)
    replay_window: Int = u8()
    flags: Member[StateFlags] = u8(enum=StateFlags)


class UserSaID(Struct, aligned=True):
    """struct xfrm_usersa_id."""

    daddr: IP = ip(size=16, family="family")
    spi: Int = be32()
    family: Int = u16()
    proto: Int = u8()


_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_ALGO = dict.fromkeys(_FAMILIES, Algo)
_AUTH = dict.fromkeys(_FAMILIES, AuthAlgo)
_AEAD = dict.fromkeys(_FAMILIES, AeadAlgo)
_ESN = dict.fromkeys(_FAMILIES, ReplayEsn)


class StateID(AttributeSet, header=UserSaID):
    """What identifies a state: the destination, SPI and protocol, and the mark. The constructor sets family.

    srcaddr: of Mobile IPv6, whose states have no SPI.
    """

    header: UserSaID | None = None
    daddr: IP = UserSaID.daddr
    spi: Int = UserSaID.spi
    family: Int = UserSaID.family
    proto: Int = UserSaID.proto
    srcaddr: IP = ip(13, size=16, family="header.family")  # XFRMA_SRCADDR
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_with_family(values, "daddr", "srcaddr"))


class State(AttributeSet, header=UserSaInfo, ignore=(27,)):  # XFRMA_PAD
    """A state, which protects packets in one direction (XFRMA_*): a security association, RFC 4301.

    saddr, daddr: of the packets that it protects or makes. spi: the number of its packets. proto: 50 for ESP, 51 for
    AH, 108 for IPComp. reqid: the number by which templates find it.
    sel: the packets that it is for; any, if it is not given. lft: when it expires. curlft, stats: counters.
    replay_window: packets; larger ones are in replay_esn. lastused: seconds since 1970.
    alg_crypt with alg_auth_trunc, or alg_aead, or alg_auth_trunc alone. Their keys are not shown by `repr`. A kernel
    reports no keys if it is locked down.
    dir: of Linux 6.10 and newer; None for either.

    The constructor sets family by the addresses, and a `Lifetime` without limits, unless they are given.
    """

    header: UserSaInfo | None = None
    sel: Field[Selector | None] = UserSaInfo.sel
    daddr: IP = UserSaInfo.daddr
    spi: Int = UserSaInfo.spi
    proto: Int = UserSaInfo.proto
    saddr: IP = UserSaInfo.saddr
    lft: Field[Lifetime | None] = UserSaInfo.lft
    curlft: Field[Usage | None] = UserSaInfo.curlft
    stats: Field[Stats | None] = UserSaInfo.stats
    seq: Int = UserSaInfo.seq
    reqid: Int = UserSaInfo.reqid
    family: Int = UserSaInfo.family
    mode: Member[Mode] = UserSaInfo.mode
    replay_window: Int = UserSaInfo.replay_window
    flags: Member[StateFlags] = UserSaInfo.flags
    alg_auth: Field[Algo | bytes | None] = submessage(1, "header.family", _ALGO)  # XFRMA_ALG_AUTH
    alg_crypt: Field[Algo | bytes | None] = submessage(2, "header.family", _ALGO)  # XFRMA_ALG_CRYPT
    alg_comp: Field[Algo | bytes | None] = submessage(3, "header.family", _ALGO)  # XFRMA_ALG_COMP
    encap: Field[Encap | None] = struct(4, Encap)  # XFRMA_ENCAP
    sec_ctx: Bytes = binary(8)  # XFRMA_SEC_CTX, of a `SecurityContext`
    ltime_val: Field[Usage | None] = struct(9, Usage)  # XFRMA_LTIME_VAL
    replay_val: Field[Replay | None] = struct(10, Replay)  # XFRMA_REPLAY_VAL
    replay_thresh: Int = u32(11)  # XFRMA_REPLAY_THRESH
    etimer_thresh: Int = u32(12)  # XFRMA_ETIMER_THRESH, tenths of seconds
    srcaddr: IP = ip(13, size=16, family="header.family")  # XFRMA_SRCADDR
    coaddr: IP = ip(14, size=16, family="header.family")  # XFRMA_COADDR, the care-of address of Mobile IPv6
    lastused: Int = u64(15)  # XFRMA_LASTUSED
    alg_aead: Field[AeadAlgo | bytes | None] = submessage(18, "header.family", _AEAD)  # XFRMA_ALG_AEAD
    alg_auth_trunc: Field[AuthAlgo | bytes | None] = submessage(20, "header.family", _AUTH)  # XFRMA_ALG_AUTH_TRUNC
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    tfcpad: Int = u32(22)  # XFRMA_TFCPAD, the size that packets are padded to
    replay_esn: Field[ReplayEsn | bytes | None] = submessage(23, "header.family", _ESN)  # XFRMA_REPLAY_ESN_VAL
    extra_flags: Member[ExtraFlags] = u32(24, enum=ExtraFlags)  # XFRMA_SA_EXTRA_FLAGS
    offload_dev: Field[Offload | None] = struct(28, Offload)  # XFRMA_OFFLOAD_DEV
    set_mark: Int = u32(29)  # XFRMA_SET_MARK, of packets that it has unpacked or made
    set_mark_mask: Int = u32(30)  # XFRMA_SET_MARK_MASK
    if_id: Int = u32(31)  # XFRMA_IF_ID, of a link of the kind "xfrm"
    mtimer_thresh: Int = u32(32)  # XFRMA_MTIMER_THRESH, seconds between events of `Mapping`
    dir: Member[StateDirection] = u8(33, enum=StateDirection)  # XFRMA_SA_DIR
    nat_keepalive_interval: Int = u32(34)  # XFRMA_NAT_KEEPALIVE_INTERVAL, seconds
    pcpu: Int = u32(35)  # XFRMA_SA_PCPU, the CPU that uses it
    iptfs_drop_time: Int = u32(36)  # XFRMA_IPTFS_DROP_TIME, microseconds
    iptfs_reorder_window: Int = u16(37)  # XFRMA_IPTFS_REORDER_WINDOW, packets
    iptfs_dont_frag: Flag = flag(38)  # XFRMA_IPTFS_DONT_FRAG
    iptfs_init_delay: Int = u32(39)  # XFRMA_IPTFS_INIT_DELAY, microseconds
    iptfs_max_qsize: Int = u32(40)  # XFRMA_IPTFS_MAX_QSIZE, bytes
    iptfs_pkt_size: Int = u32(41)  # XFRMA_IPTFS_PKT_SIZE, bytes
    event: Member[Event] = event(Event)

    __hidden__ = tuple(
        f"alg_{name}_{family.name.lower()}_key"
        for name in ("auth", "crypt", "aead", "auth_trunc")
        for family in _FAMILIES
    )

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_limited(_with_family(values, "daddr", "saddr")))

    @property
    def id(self) -> StateID:
        """What identifies it, for `delete_state` and `get_state`."""
        return StateID(daddr=self.daddr, spi=self.spi, family=self.family, proto=self.proto, mark=self.mark)


def _limited(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, with a lifetime."""
    if values.get("header") is None and values.get("lft") is None:
        values["lft"] = Lifetime()
    return values


class DeletedState(AttributeSet, header=UserSaID, unknown=False):
    """The event of a state that was deleted. sa: what it was."""

    header: UserSaID | None = None
    daddr: IP = UserSaID.daddr
    spi: Int = UserSaID.spi
    family: Int = UserSaID.family
    proto: Int = UserSaID.proto
    sa: Field[UserSaInfo | None] = struct(6, UserSaInfo)  # XFRMA_SA
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID


class UserSpiInfo(UserSaInfo, aligned=True):
    """struct xfrm_userspi_info."""

    info_end = pad(7)
    min: Int = u32()
    max: Int = u32()


_SPI = UserSpiInfo.__fields__


class SpiRequest(AttributeSet, header=UserSpiInfo):
    """A request for an SPI from min to max, and a state that has nothing else yet. The constructor sets family."""

    header: UserSpiInfo | None = None
    sel: Field[Selector | None] = _SPI["sel"]
    daddr: IP = _SPI["daddr"]
    proto: Int = _SPI["proto"]
    saddr: IP = _SPI["saddr"]
    seq: Int = _SPI["seq"]
    reqid: Int = _SPI["reqid"]
    family: Int = _SPI["family"]
    mode: Member[Mode] = _SPI["mode"]
    min: Int = UserSpiInfo.min
    max: Int = UserSpiInfo.max
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID
    dir: Member[StateDirection] = u8(33, enum=StateDirection)  # XFRMA_SA_DIR
    pcpu: Int = u32(35)  # XFRMA_SA_PCPU

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_with_family(values, "daddr", "saddr"))


class UserExpire(UserSaInfo, aligned=True):
    """struct xfrm_user_expire."""

    state_end = pad(7)
    hard: Int = u8()


_EXPIRE = UserExpire.__fields__


class ExpiredState(AttributeSet, header=UserExpire):
    """The event of a state that reached a limit. hard: 1 if it was removed."""

    header: UserExpire | None = None
    sel: Field[Selector | None] = _EXPIRE["sel"]
    daddr: IP = _EXPIRE["daddr"]
    spi: Int = _EXPIRE["spi"]
    proto: Int = _EXPIRE["proto"]
    saddr: IP = _EXPIRE["saddr"]
    lft: Field[Lifetime | None] = _EXPIRE["lft"]
    curlft: Field[Usage | None] = _EXPIRE["curlft"]
    reqid: Int = _EXPIRE["reqid"]
    family: Int = _EXPIRE["family"]
    mode: Member[Mode] = _EXPIRE["mode"]
    hard: Int = UserExpire.hard
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID
    dir: Member[StateDirection] = u8(33, enum=StateDirection)  # XFRMA_SA_DIR
    pcpu: Int = u32(35)  # XFRMA_SA_PCPU


class StateFilter(AttributeSet):
    """What a dump of states selects: a protocol, and addresses. All states, if nothing is given."""

    proto: Int = u8(25)  # XFRMA_PROTO
    address_filter: Field[AddressFilter | None] = struct(26, AddressFilter)  # XFRMA_ADDRESS_FILTER


class UserSaFlush(Struct):
    """struct xfrm_usersa_flush."""

    proto: Int = u8()


class FlushedStates(AttributeSet, header=UserSaFlush):
    """A request to delete the states of a protocol, 0 or 255 for all, and the event of it."""

    header: UserSaFlush | None = None
    proto: Int = UserSaFlush.proto


class AeventID(Struct, aligned=True):
    """struct xfrm_aevent_id."""

    daddr: IP = ip(size=16, family="family")
    spi: Int = be32()
    family: Int = u16()
    proto: Int = u8()
    id_end = pad(1)
    saddr: IP = ip(size=16, family="family")
    flags: Member[AEFlags] = u32(enum=AEFlags)
    reqid: Int = u32()


class Counters(AttributeSet, header=AeventID, ignore=(27,)):  # XFRMA_PAD
    """The counters of a state, as a request and a reply, and as an event of a state that a standby takes over.

    flags: what a request asks for, and why an event came. The constructor sets family.
    """

    header: AeventID | None = None
    daddr: IP = AeventID.daddr
    spi: Int = AeventID.spi
    family: Int = AeventID.family
    proto: Int = AeventID.proto
    saddr: IP = AeventID.saddr
    flags: Member[AEFlags] = AeventID.flags
    reqid: Int = AeventID.reqid
    ltime_val: Field[Usage | None] = struct(9, Usage)  # XFRMA_LTIME_VAL
    replay_val: Field[Replay | None] = struct(10, Replay)  # XFRMA_REPLAY_VAL
    replay_thresh: Int = u32(11)  # XFRMA_REPLAY_THRESH
    etimer_thresh: Int = u32(12)  # XFRMA_ETIMER_THRESH, tenths of seconds
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    replay_esn: Field[ReplayEsn | bytes | None] = submessage(23, "header.family", _ESN)  # XFRMA_REPLAY_ESN_VAL
    if_id: Int = u32(31)  # XFRMA_IF_ID
    dir: Member[StateDirection] = u8(33, enum=StateDirection)  # XFRMA_SA_DIR
    pcpu: Int = u32(35)  # XFRMA_SA_PCPU

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_with_family(values, "daddr", "saddr"))


class UserMapping(Struct, aligned=True):
    """struct xfrm_user_mapping."""

    daddr: IP = ip(size=16, family="family")
    spi: Int = be32()
    family: Int = u16()
    proto: Int = u8()
    id_end = pad(1)
    reqid: Int = u32()
    old_saddr: IP = ip(size=16, family="family")
    new_saddr: IP = ip(size=16, family="family")
    old_sport: Int = be16()
    new_sport: Int = be16()


class Mapping(AttributeSet, header=UserMapping):
    """The event of a peer whose address or port was translated anew."""

    header: UserMapping | None = None
    daddr: IP = UserMapping.daddr
    spi: Int = UserMapping.spi
    family: Int = UserMapping.family
    proto: Int = UserMapping.proto
    reqid: Int = UserMapping.reqid
    old_saddr: IP = UserMapping.old_saddr
    new_saddr: IP = UserMapping.new_saddr
    old_sport: Int = UserMapping.old_sport
    new_sport: Int = UserMapping.new_sport


class UserReport(Struct, aligned=True):
    """struct xfrm_user_report."""

    proto: Int = u8()
    proto_end = pad(3)
    sel: Field[Selector | None] = struct(None, Selector)


class Report(AttributeSet, header=UserReport):
    """The event of a packet that Mobile IPv6 could not send."""

    header: UserReport | None = None
    proto: Int = UserReport.proto
    sel: Field[Selector | None] = UserReport.sel
    coaddr: Bytes = binary(14)  # XFRMA_COADDR


class InfoFlags(Struct):
    """The 4 bytes before the attributes of information about all states or policies. They have no meaning."""

    flags: Int = u32()


class StateInfo(AttributeSet, header=InfoFlags):
    """The number of states, and the hash table that they are in."""

    header: InfoFlags | None = None
    count: Int = u32(1)  # XFRMA_SAD_CNT
    hash: Field[HashInfo | None] = struct(2, HashInfo)  # XFRMA_SAD_HINFO


# Policies


class UserPolicyInfo(Struct, aligned=True):
    """struct xfrm_userpolicy_info."""

    sel: Field[Selector | None] = struct(None, Selector)
    lft: Field[Lifetime | None] = struct(None, Lifetime)
    curlft: Field[Usage | None] = struct(None, Usage)
    priority: Int = u32()
    index: Int = u32()
    dir: Member[Direction] = u8(enum=Direction)
    action: Member[Action] = u8(enum=Action)
    flags: Member[PolicyFlags] = u8(enum=PolicyFlags)
    share: Member[Share] = u8(enum=Share)


class UserPolicyID(Struct, aligned=True):
    """struct xfrm_userpolicy_id."""

    sel: Field[Selector | None] = struct(None, Selector)
    index: Int = u32()
    dir: Member[Direction] = u8(enum=Direction)


class PolicyID(AttributeSet, header=UserPolicyID):
    """What identifies a policy: its direction with its index, or with its selector; and its mark and interface id."""

    header: UserPolicyID | None = None
    sel: Field[Selector | None] = UserPolicyID.sel
    index: Int = UserPolicyID.index
    dir: Member[Direction] = UserPolicyID.dir
    sec_ctx: Bytes = binary(8)  # XFRMA_SEC_CTX, of a `SecurityContext`
    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID


class Policy(AttributeSet, header=UserPolicyInfo, ignore=(27,)):  # XFRMA_PAD
    """A policy: the packets that are protected, let through or dropped (XFRMA_*), RFC 4301.

    sel: the packets. dir: whether they come in, go out or are forwarded. tmpl: the states that protect them; packets
    that come in must have been protected by them. priority: the policy with the lowest one decides.
    index: the number that the kernel gives it; its lowest 3 bits are dir. lft: when it expires. curlft: when it was
    added and first used.

    The constructor sets a `Lifetime` without limits, unless it is given.
    """

    header: UserPolicyInfo | None = None
    sel: Field[Selector | None] = UserPolicyInfo.sel
    lft: Field[Lifetime | None] = UserPolicyInfo.lft
    curlft: Field[Usage | None] = UserPolicyInfo.curlft
    priority: Int = UserPolicyInfo.priority
    index: Int = UserPolicyInfo.index
    dir: Member[Direction] = UserPolicyInfo.dir
    action: Member[Action] = UserPolicyInfo.action
    flags: Member[PolicyFlags] = UserPolicyInfo.flags
    share: Member[Share] = UserPolicyInfo.share
    tmpl: Items[Template] = packed(5, Template)  # XFRMA_TMPL
    sec_ctx: Bytes = binary(8)  # XFRMA_SEC_CTX, of a `SecurityContext`
    lastused: Int = u64(15)  # XFRMA_LASTUSED
    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    offload_dev: Field[Offload | None] = struct(28, Offload)  # XFRMA_OFFLOAD_DEV
    if_id: Int = u32(31)  # XFRMA_IF_ID
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_limited(values))

    @property
    def id(self) -> PolicyID:
        """What identifies it by its selector, for `delete_policy` and `get_policy`."""
        return PolicyID(
            sel=self.sel, dir=self.dir, mark=self.mark, if_id=self.if_id, policy_type=self.policy_type,
            sec_ctx=self.sec_ctx,
        )  # fmt: skip


class DeletedPolicy(AttributeSet, header=UserPolicyID):
    """The event of a policy that was deleted. policy: what it was."""

    header: UserPolicyID | None = None
    sel: Field[Selector | None] = UserPolicyID.sel
    index: Int = UserPolicyID.index
    dir: Member[Direction] = UserPolicyID.dir
    tmpl: Items[Template] = packed(5, Template)  # XFRMA_TMPL
    policy: Field[UserPolicyInfo | None] = struct(7, UserPolicyInfo)  # XFRMA_POLICY
    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID


class UserPolExpire(UserPolicyInfo, aligned=True):
    """struct xfrm_user_polexpire."""

    pol_end = pad(4)
    hard: Int = u8()


_POLEXPIRE = UserPolExpire.__fields__


class ExpiredPolicy(AttributeSet, header=UserPolExpire):
    """The event of a policy that reached a limit. hard: 1 if it was removed."""

    header: UserPolExpire | None = None
    sel: Field[Selector | None] = _POLEXPIRE["sel"]
    lft: Field[Lifetime | None] = _POLEXPIRE["lft"]
    curlft: Field[Usage | None] = _POLEXPIRE["curlft"]
    priority: Int = _POLEXPIRE["priority"]
    index: Int = _POLEXPIRE["index"]
    dir: Member[Direction] = _POLEXPIRE["dir"]
    hard: Int = UserPolExpire.hard
    tmpl: Items[Template] = packed(5, Template)  # XFRMA_TMPL
    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID


class FlushedPolicies(AttributeSet):
    """A request to delete all policies, and the event of it."""

    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE


class PolicyInfo(AttributeSet, header=InfoFlags):
    """The number of policies, the hash table that they are in, and which of them are in it."""

    header: InfoFlags | None = None
    counts: Field[PolicyCounts | None] = struct(1, PolicyCounts)  # XFRMA_SPD_INFO
    hash: Field[HashInfo | None] = struct(2, HashInfo)  # XFRMA_SPD_HINFO
    threshold_ipv4: Field[HashThreshold | None] = struct(3, HashThreshold)  # XFRMA_SPD_IPV4_HTHRESH
    threshold_ipv6: Field[HashThreshold | None] = struct(4, HashThreshold)  # XFRMA_SPD_IPV6_HTHRESH


class UserPolicyDefault(Struct):
    """struct xfrm_userpolicy_default. in_: its member "in"."""

    in_: Member[Default] = u8(enum=Default)
    fwd: Member[Default] = u8(enum=Default)
    out: Member[Default] = u8(enum=Default)


class Defaults(AttributeSet, header=UserPolicyDefault):
    """What happens to packets without a policy, by direction. Linux 5.15 and newer have it."""

    header: UserPolicyDefault | None = None
    in_: Member[Default] = UserPolicyDefault.in_
    fwd: Member[Default] = UserPolicyDefault.fwd
    out: Member[Default] = UserPolicyDefault.out


class Migration(AttributeSet, header=UserPolicyID):
    """A policy whose templates get other addresses, and its states as well: a request, and the event of it."""

    header: UserPolicyID | None = None
    sel: Field[Selector | None] = UserPolicyID.sel
    index: Int = UserPolicyID.index
    dir: Member[Direction] = UserPolicyID.dir
    encap: Field[Encap | None] = struct(4, Encap)  # XFRMA_ENCAP
    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE
    migrate: Items[Migrate] = packed(17, Migrate)  # XFRMA_MIGRATE
    kmaddress: Field[KMAddress | None] = struct(19, KMAddress)  # XFRMA_KMADDRESS
    if_id: Int = u32(31)  # XFRMA_IF_ID


class UserAcquire(Struct, aligned=True):
    """struct xfrm_user_acquire. id_daddr, id_saddr: as of xfrm_address_t."""

    id_daddr: Bytes = binary(size=16)
    spi: Int = be32()
    proto: Int = u8()
    id_end = pad(3)
    id_saddr: Bytes = binary(size=16)
    sel: Field[Selector | None] = struct(None, Selector)
    policy: Field[UserPolicyInfo | None] = struct(None, UserPolicyInfo)
    aalgos: Int = u32()
    ealgos: Int = u32()
    calgos: Int = u32()
    seq: Int = u32()


class Acquire(AttributeSet, header=UserAcquire):
    """The event of a packet that needs a state which is not there: a key manager makes it.

    sel: the packet. policy, tmpl: that it is protected by. seq: of the state to make, for `State.seq`.
    """

    header: UserAcquire | None = None
    spi: Int = UserAcquire.spi
    proto: Int = UserAcquire.proto
    sel: Field[Selector | None] = UserAcquire.sel
    policy: Field[UserPolicyInfo | None] = UserAcquire.policy
    aalgos: Int = UserAcquire.aalgos
    ealgos: Int = UserAcquire.ealgos
    calgos: Int = UserAcquire.calgos
    seq: Int = UserAcquire.seq
    tmpl: Items[Template] = packed(5, Template)  # XFRMA_TMPL
    sec_ctx: Bytes = binary(8)  # XFRMA_SEC_CTX, of a `SecurityContext`
    policy_type: Field[UserPolicyType | None] = struct(16, UserPolicyType)  # XFRMA_POLICY_TYPE
    mark: Field[Mark | None] = struct(21, Mark)  # XFRMA_MARK
    if_id: Int = u32(31)  # XFRMA_IF_ID
    dir: Member[StateDirection] = u8(33, enum=StateDirection)  # XFRMA_SA_DIR
    pcpu: Int = u32(35)  # XFRMA_SA_PCPU

    def _address(self, name: str) -> IPv4Address | IPv6Address | None:
        """An address of its state, whose family the template tells, or else the packet."""
        data: bytes | None = getattr(self.header, name, None)
        if data is None:
            return None
        family = self.tmpl[0].family if self.tmpl else self.sel.family if self.sel else 0
        return IPv4Address(data[:4]) if family == socket.AF_INET else IPv6Address(data)

    @property
    def daddr(self) -> IPv4Address | IPv6Address | None:
        """The destination of the state to make."""
        return self._address("id_daddr")

    @property
    def saddr(self) -> IPv4Address | IPv6Address | None:
        """The source of the state to make."""
        return self._address("id_saddr")
