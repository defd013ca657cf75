"""The header of links, and the numbers in it: linux/rtnetlink.h, linux/if.h, linux/if_arp.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.schema import Int, Member, Struct, pad, s32, u8, u16, u32

__all__ = ["ExtMask", "IfInfoMsg", "LinkEvent", "LinkFlags", "LinkMode", "LinkType", "OperState"]


class LinkFlags(IntFlag):
    """Flags of a link (IFF_*). A request changes those of NOARP, PROMISC, ALLMULTI, MULTICAST, DYNAMIC, UP and kin."""

    UP = 0x1  # IFF_UP, the administrator wants it up
    BROADCAST = 0x2  # IFF_BROADCAST, it has a broadcast address
    DEBUG = 0x4  # IFF_DEBUG
    LOOPBACK = 0x8  # IFF_LOOPBACK
    POINTOPOINT = 0x10  # IFF_POINTOPOINT
    NOTRAILERS = 0x20  # IFF_NOTRAILERS
    RUNNING = 0x40  # IFF_RUNNING, it is up, and so is its carrier
    NOARP = 0x80  # IFF_NOARP, without ARP and neighbour discovery
    PROMISC = 0x100  # IFF_PROMISC, it receives all packets
    ALLMULTI = 0x200  # IFF_ALLMULTI, it receives all multicast packets
    MASTER = 0x400  # IFF_MASTER, of a bond
    SLAVE = 0x800  # IFF_SLAVE, in a bond
    MULTICAST = 0x1000  # IFF_MULTICAST
    PORTSEL = 0x2000  # IFF_PORTSEL
    AUTOMEDIA = 0x4000  # IFF_AUTOMEDIA
    DYNAMIC = 0x8000  # IFF_DYNAMIC
    LOWER_UP = 0x10000  # IFF_LOWER_UP, its carrier is up
    DORMANT = 0x20000  # IFF_DORMANT
    ECHO = 0x40000  # IFF_ECHO, it echoes sent packets (CAN)


class LinkType(IntEnum):
    """Hardware types of links (ARPHRD_*)."""

    NETROM = 0  # ARPHRD_NETROM
    ETHER = 1  # ARPHRD_ETHER
    EETHER = 2  # ARPHRD_EETHER
    AX25 = 3  # ARPHRD_AX25
    PRONET = 4  # ARPHRD_PRONET
    CHAOS = 5  # ARPHRD_CHAOS
    IEEE802 = 6  # ARPHRD_IEEE802
    ARCNET = 7  # ARPHRD_ARCNET
    APPLETLK = 8  # ARPHRD_APPLETLK
    DLCI = 15  # ARPHRD_DLCI
    ATM = 19  # ARPHRD_ATM
    METRICOM = 23  # ARPHRD_METRICOM
    IEEE1394 = 24  # ARPHRD_IEEE1394
    EUI64 = 27  # ARPHRD_EUI64
    INFINIBAND = 32  # ARPHRD_INFINIBAND
    SLIP = 256  # ARPHRD_SLIP
    CSLIP = 257  # ARPHRD_CSLIP
    SLIP6 = 258  # ARPHRD_SLIP6
    CSLIP6 = 259  # ARPHRD_CSLIP6
    RSRVD = 260  # ARPHRD_RSRVD
    ADAPT = 264  # ARPHRD_ADAPT
    ROSE = 270  # ARPHRD_ROSE
    X25 = 271  # ARPHRD_X25
    HWX25 = 272  # ARPHRD_HWX25
    CAN = 280  # ARPHRD_CAN
    MCTP = 290  # ARPHRD_MCTP
    PPP = 512  # ARPHRD_PPP
    HDLC = 513  # ARPHRD_CISCO
    LAPB = 516  # ARPHRD_LAPB
    DDCMP = 517  # ARPHRD_DDCMP
    RAWHDLC = 518  # ARPHRD_RAWHDLC
    RAWIP = 519  # ARPHRD_RAWIP
    TUNNEL = 768  # ARPHRD_TUNNEL
    TUNNEL6 = 769  # ARPHRD_TUNNEL6
    FRAD = 770  # ARPHRD_FRAD
    SKIP = 771  # ARPHRD_SKIP
    LOOPBACK = 772  # ARPHRD_LOOPBACK
    LOCALTLK = 773  # ARPHRD_LOCALTLK
    FDDI = 774  # ARPHRD_FDDI
    BIF = 775  # ARPHRD_BIF
    SIT = 776  # ARPHRD_SIT
    IPDDP = 777  # ARPHRD_IPDDP
    IPGRE = 778  # ARPHRD_IPGRE
    PIMREG = 779  # ARPHRD_PIMREG
    HIPPI = 780  # ARPHRD_HIPPI
    ASH = 781  # ARPHRD_ASH
    ECONET = 782  # ARPHRD_ECONET
    IRDA = 783  # ARPHRD_IRDA
    FCPP = 784  # ARPHRD_FCPP
    FCAL = 785  # ARPHRD_FCAL
    FCPL = 786  # ARPHRD_FCPL
    FCFABRIC = 787  # ARPHRD_FCFABRIC
    IEEE802_TR = 800  # ARPHRD_IEEE802_TR
    IEEE80211 = 801  # ARPHRD_IEEE80211
    IEEE80211_PRISM = 802  # ARPHRD_IEEE80211_PRISM
    IEEE80211_RADIOTAP = 803  # ARPHRD_IEEE80211_RADIOTAP
    IEEE802154 = 804  # ARPHRD_IEEE802154
    IEEE802154_MONITOR = 805  # ARPHRD_IEEE802154_MONITOR
    PHONET = 820  # ARPHRD_PHONET
    PHONET_PIPE = 821  # ARPHRD_PHONET_PIPE
    CAIF = 822  # ARPHRD_CAIF
    IP6GRE = 823  # ARPHRD_IP6GRE
    NETLINK = 824  # ARPHRD_NETLINK
    LOWPAN = 825  # ARPHRD_6LOWPAN
    VSOCKMON = 826  # ARPHRD_VSOCKMON
    NONE = 65534  # ARPHRD_NONE
    VOID = 65535  # ARPHRD_VOID


class OperState(IntEnum):
    """Operational states, as in RFC 2863 (IF_OPER_*)."""

    UNKNOWN = 0  # IF_OPER_UNKNOWN
    NOTPRESENT = 1  # IF_OPER_NOTPRESENT
    DOWN = 2  # IF_OPER_DOWN
    LOWERLAYERDOWN = 3  # IF_OPER_LOWERLAYERDOWN
    TESTING = 4  # IF_OPER_TESTING
    DORMANT = 5  # IF_OPER_DORMANT
    UP = 6  # IF_OPER_UP


class LinkMode(IntEnum):
    """How a link goes up (IF_LINK_MODE_*)."""

    DEFAULT = 0  # IF_LINK_MODE_DEFAULT
    DORMANT = 1  # IF_LINK_MODE_DORMANT, only to the state DORMANT
    TESTING = 2  # IF_LINK_MODE_TESTING, only to the state TESTING


class LinkEvent(IntEnum):
    """Why the kernel reports a link again (IFLA_EVENT_*)."""

    NONE = 0  # IFLA_EVENT_NONE
    REBOOT = 1  # IFLA_EVENT_REBOOT
    FEATURES = 2  # IFLA_EVENT_FEATURES
    BONDING_FAILOVER = 3  # IFLA_EVENT_BONDING_FAILOVER
    NOTIFY_PEERS = 4  # IFLA_EVENT_NOTIFY_PEERS
    IGMP_RESEND = 5  # IFLA_EVENT_IGMP_RESEND
    BONDING_OPTIONS = 6  # IFLA_EVENT_BONDING_OPTIONS


class ExtMask(IntFlag):
    """What a request for links asks for in addition, or leaves out (RTEXT_FILTER_*)."""

    VF = 0x1  # RTEXT_FILTER_VF, virtual functions
    BRVLAN = 0x2  # RTEXT_FILTER_BRVLAN, the vlans of bridges and their ports, one by one
    BRVLAN_COMPRESSED = 0x4  # RTEXT_FILTER_BRVLAN_COMPRESSED, the same as ranges
    SKIP_STATS = 0x8  # RTEXT_FILTER_SKIP_STATS, without counters of IPv6 and of virtual functions
    MRP = 0x10  # RTEXT_FILTER_MRP
    CFM_CONFIG = 0x20  # RTEXT_FILTER_CFM_CONFIG
    CFM_STATUS = 0x40  # RTEXT_FILTER_CFM_STATUS
    MST = 0x80  # RTEXT_FILTER_MST


class IfInfoMsg(Struct):
    """struct ifinfomsg: the header of links.

    family: AF_UNSPEC, or AF_BRIDGE for what a bridge knows of a port.
    change: a mask of the flags that a request changes.
    """

    family: Int = u8()
    pad = pad(1)
    type: Member[LinkType] = u16(enum=LinkType)
    index: Int = s32()
    flags: Member[LinkFlags] = u32(enum=LinkFlags)
    change: Member[LinkFlags] = u32(enum=LinkFlags)
