"""What address families keep for a link: linux/if_link.h, linux/ip.h, linux/ipv6.h, linux/snmp.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.schema import AttributeSet, Field, Int, IPv6, Member, Struct, ipv6, nested, s32, struct, u8, u32, u64

__all__ = [
    "MCTP",
    "AddrGenMode",
    "AfSpec",
    "ICMP6Stats",
    "IP6CacheInfo",
    "IP6Stats",
    "Inet",
    "Inet6",
    "Inet6Conf",
    "Inet6Flags",
    "InetConf",
]


class AddrGenMode(IntEnum):
    """How the kernel makes IPv6 addresses of a link (IN6_ADDR_GEN_MODE_*)."""

    EUI64 = 0  # IN6_ADDR_GEN_MODE_EUI64, from the link-layer address
    NONE = 1  # IN6_ADDR_GEN_MODE_NONE, not at all
    STABLE_PRIVACY = 2  # IN6_ADDR_GEN_MODE_STABLE_PRIVACY, from a secret, as by RFC 7217
    RANDOM = 3  # IN6_ADDR_GEN_MODE_RANDOM, as STABLE_PRIVACY, with a random secret


class Inet6Flags(IntFlag):
    """State of IPv6 on a link (IF_*, net/if_inet6.h of the kernel)."""

    RA_OTHERCONF = 0x80  # IF_RA_OTHERCONF, a router advertised other configuration
    RA_MANAGED = 0x40  # IF_RA_MANAGED, a router advertised addresses by DHCPv6
    RA_RCVD = 0x20  # IF_RA_RCVD, a router advertisement was received
    RS_SENT = 0x10  # IF_RS_SENT, a router solicitation was sent
    READY = 0x80000000  # IF_READY, IPv6 is up


class InetConf(Struct):
    """The sysctls net.ipv4.conf.*.* of a link (IPV4_DEVCONF_*, linux/ip.h). Older kernels leave out the last ones."""

    forwarding: Int = u32()
    mc_forwarding: Int = u32()
    proxy_arp: Int = u32()
    accept_redirects: Int = u32()
    secure_redirects: Int = u32()
    send_redirects: Int = u32()
    shared_media: Int = u32()
    rp_filter: Int = u32()
    accept_source_route: Int = u32()
    bootp_relay: Int = u32()
    log_martians: Int = u32()
    tag: Int = u32()
    arpfilter: Int = u32()
    medium_id: Int = u32()
    noxfrm: Int = u32()
    nopolicy: Int = u32()
    force_igmp_version: Int = u32()
    arp_announce: Int = u32()
    arp_ignore: Int = u32()
    promote_secondaries: Int = u32()
    arp_accept: Int = u32()
    arp_notify: Int = u32()
    accept_local: Int = u32()
    src_vmark: Int = u32()
    proxy_arp_pvlan: Int = u32()
    route_localnet: Int = u32()
    igmpv2_unsolicited_report_interval: Int = u32()
    igmpv3_unsolicited_report_interval: Int = u32()
    ignore_routes_with_linkdown: Int = u32()
    drop_unicast_in_l2_multicast: Int = u32()
    drop_gratuitous_arp: Int = u32()
    bc_forwarding: Int = u32()
    arp_evict_nocarrier: Int = u32()


class Inet(AttributeSet, lenient=True):
    """IPv4 of a link (IFLA_INET_*). conf: only in replies; requests cannot change it, use sysctl."""

    conf: Field[InetConf | None] = struct(1, InetConf)  # IFLA_INET_CONF


class Inet6Conf(Struct):
    """The sysctls net.ipv6.conf.*.* of a link (DEVCONF_*, linux/ipv6.h). Older kernels leave out the last ones."""

    forwarding: Int = s32()
    hoplimit: Int = s32()
    mtu6: Int = s32()
    accept_ra: Int = s32()
    accept_redirects: Int = s32()
    autoconf: Int = s32()
    dad_transmits: Int = s32()
    rtr_solicits: Int = s32()
    rtr_solicit_interval: Int = s32()
    rtr_solicit_delay: Int = s32()
    use_tempaddr: Int = s32()
    temp_valid_lft: Int = s32()
    temp_prefered_lft: Int = s32()
    regen_max_retry: Int = s32()
    max_desync_factor: Int = s32()
    max_addresses: Int = s32()
    force_mld_version: Int = s32()
    accept_ra_defrtr: Int = s32()
    accept_ra_pinfo: Int = s32()
    accept_ra_rtr_pref: Int = s32()
    rtr_probe_interval: Int = s32()
    accept_ra_rt_info_max_plen: Int = s32()
    proxy_ndp: Int = s32()
    optimistic_dad: Int = s32()
    accept_source_route: Int = s32()
    mc_forwarding: Int = s32()
    disable_ipv6: Int = s32()
    accept_dad: Int = s32()
    force_tllao: Int = s32()
    ndisc_notify: Int = s32()
    mldv1_unsolicited_report_interval: Int = s32()
    mldv2_unsolicited_report_interval: Int = s32()
    suppress_frag_ndisc: Int = s32()
    accept_ra_from_local: Int = s32()
    use_optimistic: Int = s32()
    accept_ra_mtu: Int = s32()
    stable_secret: Int = s32()
    use_oif_addrs_only: Int = s32()
    accept_ra_min_hop_limit: Int = s32()
    ignore_routes_with_linkdown: Int = s32()
    drop_unicast_in_l2_multicast: Int = s32()
    drop_unsolicited_na: Int = s32()
    keep_addr_on_down: Int = s32()
    rtr_solicit_max_interval: Int = s32()
    seg6_enabled: Int = s32()
    seg6_require_hmac: Int = s32()
    enhanced_dad: Int = s32()
    addr_gen_mode: Int = s32()
    disable_policy: Int = s32()
    accept_ra_rt_info_min_plen: Int = s32()
    ndisc_tclass: Int = s32()
    rpl_seg_enabled: Int = s32()
    ra_defrtr_metric: Int = s32()
    ioam6_enabled: Int = s32()
    ioam6_id: Int = s32()
    ioam6_id_wide: Int = s32()
    ndisc_evict_nocarrier: Int = s32()
    accept_untracked_na: Int = s32()
    accept_ra_min_lft: Int = s32()


class IP6Stats(Struct):
    """Counters of IPv6 packets of a link (IPSTATS_MIB_*, linux/snmp.h). num: how many numbers these are.

    outrequests: up to Linux 6.4 packets that were sent.
    """

    num: Int = u64()
    inpkts: Int = u64()
    inoctets: Int = u64()
    indelivers: Int = u64()
    outforwdatagrams: Int = u64()
    outrequests: Int = u64()
    outoctets: Int = u64()
    inhdrerrors: Int = u64()
    intoobigerrors: Int = u64()
    innoroutes: Int = u64()
    inaddrerrors: Int = u64()
    inunknownprotos: Int = u64()
    intruncatedpkts: Int = u64()
    indiscards: Int = u64()
    outdiscards: Int = u64()
    outnoroutes: Int = u64()
    reasmtimeout: Int = u64()
    reasmreqds: Int = u64()
    reasmoks: Int = u64()
    reasmfails: Int = u64()
    fragoks: Int = u64()
    fragfails: Int = u64()
    fragcreates: Int = u64()
    inmcastpkts: Int = u64()
    outmcastpkts: Int = u64()
    inbcastpkts: Int = u64()
    outbcastpkts: Int = u64()
    inmcastoctets: Int = u64()
    outmcastoctets: Int = u64()
    inbcastoctets: Int = u64()
    outbcastoctets: Int = u64()
    csumerrors: Int = u64()
    noectpkts: Int = u64()
    ect1pkts: Int = u64()
    ect0pkts: Int = u64()
    cepkts: Int = u64()
    reasm_overlaps: Int = u64()
    outpkts: Int = u64()


class ICMP6Stats(Struct):
    """Counters of ICMPv6 messages of a link (ICMP6_MIB_*, linux/snmp.h). num: how many numbers these are."""

    num: Int = u64()
    inmsgs: Int = u64()
    inerrors: Int = u64()
    outmsgs: Int = u64()
    outerrors: Int = u64()
    csumerrors: Int = u64()
    ratelimithost: Int = u64()


class IP6CacheInfo(Struct):
    """struct ifla_cacheinfo: limits and times of IPv6 on a link.

    tstamp: of the last change, in 1/100 s since boot. reachable_time, retrans_time: milliseconds.
    """

    max_reasm_len: Int = u32()
    tstamp: Int = u32()
    reachable_time: Int = u32()
    retrans_time: Int = u32()


class Inet6(AttributeSet, lenient=True):
    """IPv6 of a link (IFLA_INET6_*). A request changes token and addr_gen_mode."""

    flags: Member[Inet6Flags] = u32(1, enum=Inet6Flags)  # IFLA_INET6_FLAGS
    conf: Field[Inet6Conf | None] = struct(2, Inet6Conf)  # IFLA_INET6_CONF
    stats: Field[IP6Stats | None] = struct(3, IP6Stats)  # IFLA_INET6_STATS
    cacheinfo: Field[IP6CacheInfo | None] = struct(5, IP6CacheInfo)  # IFLA_INET6_CACHEINFO
    icmp6_stats: Field[ICMP6Stats | None] = struct(6, ICMP6Stats)  # IFLA_INET6_ICMP6STATS
    token: IPv6 = ipv6(7)  # IFLA_INET6_TOKEN, the lower 64 bits of addresses from router advertisements
    addr_gen_mode: Member[AddrGenMode] = u8(8, enum=AddrGenMode)  # IFLA_INET6_ADDR_GEN_MODE
    ra_mtu: Int = u32(9)  # IFLA_INET6_RA_MTU, the MTU of the last router advertisement


class MCTP(AttributeSet, lenient=True):
    """MCTP of a link (IFLA_MCTP_*)."""

    net: Int = u32(1)  # IFLA_MCTP_NET
    phys_binding: Int = u8(2)  # IFLA_MCTP_PHYS_BINDING


class AfSpec(AttributeSet, lenient=True):
    """What each address family keeps for a link (IFLA_AF_SPEC), by the number of the family."""

    inet: Field[Inet | None] = nested(2, Inet, rare=True)  # AF_INET
    inet6: Field[Inet6 | None] = nested(10, Inet6, rare=True)  # AF_INET6
    mctp: Field[MCTP | None] = nested(45, MCTP, rare=True)  # AF_MCTP
