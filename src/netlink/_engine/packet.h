/* The headers of a packet: IPv4, IPv6 with its extension headers, and the header that they carry.
 *
 * Plain C without Python. A part is a value of a header. It is present if all of its bytes are in the packet and in the
 * bytes at hand; if a header contradicts itself, nothing behind it is. So a packet that was cut has some of the parts
 * of the whole one, with the same values.
 *
 * RFC 791, 8200, 9293, 768, 792, 4443, 4302, 4303; linux/if_ether.h; linux/ip.h; linux/ipv6.h.
 */
#ifndef NETLINK_PACKET_H
#define NETLINK_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    NL_ETH_IPV4 = 0x0800,  /* ETH_P_IP */
    NL_ETH_IPV6 = 0x86dd,  /* ETH_P_IPV6 */
    NL_ETH_VLAN = 0x8100,  /* ETH_P_8021Q */
    NL_ETH_QINQ = 0x88a8,  /* ETH_P_8021AD */
    NL_ETH_HEADER = 14,    /* bytes of the header of Ethernet */
    NL_TAGS_MAX = 2,       /* VLAN tags before the network header */
    NL_EXTENSIONS_MAX = 16 /* extension headers of IPv6 */
};

enum {
    NL_IP_HOPOPTS = 0,    /* IPPROTO_HOPOPTS */
    NL_IP_ICMP = 1,       /* IPPROTO_ICMP */
    NL_IP_TCP = 6,        /* IPPROTO_TCP */
    NL_IP_UDP = 17,       /* IPPROTO_UDP */
    NL_IP_DCCP = 33,      /* IPPROTO_DCCP */
    NL_IP_ROUTING = 43,   /* IPPROTO_ROUTING */
    NL_IP_FRAGMENT = 44,  /* IPPROTO_FRAGMENT */
    NL_IP_ESP = 50,       /* IPPROTO_ESP */
    NL_IP_AH = 51,        /* IPPROTO_AH */
    NL_IP_ICMPV6 = 58,    /* IPPROTO_ICMPV6 */
    NL_IP_NONE = 59,      /* IPPROTO_NONE */
    NL_IP_DSTOPTS = 60,   /* IPPROTO_DSTOPTS */
    NL_IP_SCTP = 132,     /* IPPROTO_SCTP */
    NL_IP_UDPLITE = 136,  /* IPPROTO_UDPLITE */
    NL_IPV6_HEADER = 40,  /* bytes */
    NL_IPV6_JUMBO = 0xc2, /* IPV6_TLV_JUMBO */
};

/* X(name, bytes): the parts. Integers are in host byte order. An address has 16 bytes, IPv4 as ::ffff:a.b.c.d, and the
 * version of IP behind them. */
#define NL_PARTS(X)                                                                                                    \
    X(src, 17)                                                                                                         \
    X(dst, 17)                                                                                                         \
    X(proto, 1)                                                                                                        \
    X(sport, 2)                                                                                                        \
    X(dport, 2)                                                                                                        \
    X(icmp_type, 1)                                                                                                    \
    X(icmp_code, 1)                                                                                                    \
    X(icmp_id, 2)                                                                                                      \
    X(icmp_seq, 2)                                                                                                     \
    X(icmp_mtu, 4)                                                                                                     \
    X(tcp_flags, 2)                                                                                                    \
    X(tcp_seq, 4)                                                                                                      \
    X(tcp_ack, 4)                                                                                                      \
    X(tcp_window, 2)                                                                                                   \
    X(tcp_urgent, 2)                                                                                                   \
    X(udp_length, 2)                                                                                                   \
    X(spi, 4)                                                                                                          \
    X(length, 4)                                                                                                       \
    X(ttl, 1)                                                                                                          \
    X(tos, 1)                                                                                                          \
    X(flow_label, 4)                                                                                                   \
    X(ip_id, 4)                                                                                                        \
    X(ip_flags, 1)                                                                                                     \
    X(frag_offset, 2)

enum nl_part_number {
#define NL_PART_NUMBER(name, size) NL_P_##name,
    NL_PARTS(NL_PART_NUMBER)
#undef NL_PART_NUMBER
        NL_PART_COUNT
};

enum { NL_ADDRESS_PART = 17 }; /* bytes of an address */

struct nl_headers {
    uint8_t present[(NL_PART_COUNT + 7) / 8];
#define NL_PART_MEMBER(name, size) uint8_t name[size];
    NL_PARTS(NL_PART_MEMBER)
#undef NL_PART_MEMBER
};

struct nl_header_part {
    const char *name;
    uint32_t offset; /* in nl_headers */
    uint32_t size;
};

static const struct nl_header_part nl_parts[NL_PART_COUNT] = {
#define NL_PART_ENTRY(name, size) {#name, offsetof(struct nl_headers, name), size},
    NL_PARTS(NL_PART_ENTRY)
#undef NL_PART_ENTRY
};

static inline uint16_t nl_be16_at(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t nl_be32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline int nl_has_part(const struct nl_headers *h, unsigned part)
{
    return h->present[part >> 3] >> (part & 7) & 1;
}

#define NL_HAVE(part) (h->present[NL_P_##part >> 3] |= (uint8_t)(1u << (NL_P_##part & 7)))
#define NL_SET(part, type, value)                                                                                      \
    do {                                                                                                               \
        type v_ = (type)(value);                                                                                       \
        memcpy(h->part, &v_, sizeof v_);                                                                               \
        NL_HAVE(part);                                                                                                 \
    } while (0)
#define NL_SET_V4(part, at)                                                                                            \
    do {                                                                                                               \
        memset(h->part, 0, 10);                                                                                        \
        memset(h->part + 10, 0xff, 2);                                                                                 \
        memcpy(h->part + 12, at, 4);                                                                                   \
        h->part[16] = 4;                                                                                               \
        NL_HAVE(part);                                                                                                 \
    } while (0)
#define NL_SET_V6(part, at)                                                                                            \
    do {                                                                                                               \
        memcpy(h->part, at, 16);                                                                                       \
        h->part[16] = 6;                                                                                               \
        NL_HAVE(part);                                                                                                 \
    } while (0)

/* ---- the carried header ---- */

static void nl_parse_icmp(struct nl_headers *h, int version, const uint8_t *p, size_t size)
{
    if (size < 2)
        return;
    unsigned type = p[0], code = p[1];
    NL_SET(icmp_type, uint8_t, type);
    NL_SET(icmp_code, uint8_t, code);
    if (size < 8)
        return;
    /* Echo and, of ICMP, timestamp, information and address mask: requests and replies. */
    int query = version == 4 ? type == 0 || type == 8 || (type >= 13 && type <= 18) : type == 128 || type == 129;
    if (query) {
        NL_SET(icmp_id, uint16_t, nl_be16_at(p + 4));
        NL_SET(icmp_seq, uint16_t, nl_be16_at(p + 6));
    } else if (version == 4 && type == 3 && code == 4) {
        NL_SET(icmp_mtu, uint32_t, nl_be16_at(p + 6));
    } else if (version == 6 && type == 2) {
        NL_SET(icmp_mtu, uint32_t, nl_be32_at(p + 4));
    }
}

static void nl_parse_tcp(struct nl_headers *h, const uint8_t *p, size_t size)
{
    if (size >= 8)
        NL_SET(tcp_seq, uint32_t, nl_be32_at(p + 4));
    if (size >= 12)
        NL_SET(tcp_ack, uint32_t, nl_be32_at(p + 8));
    if (size >= 14)
        NL_SET(tcp_flags, uint16_t, nl_be16_at(p + 12) & 0x1ff);
    if (size >= 16)
        NL_SET(tcp_window, uint16_t, nl_be16_at(p + 14));
    if (size >= 20)
        NL_SET(tcp_urgent, uint16_t, nl_be16_at(p + 18));
}

/* The header behind IP, of which size bytes are there. */
static void nl_parse_carried(struct nl_headers *h, int version, unsigned proto, const uint8_t *p, size_t size)
{
    switch (proto) {
    case NL_IP_TCP:
    case NL_IP_UDP:
    case NL_IP_UDPLITE:
    case NL_IP_DCCP:
    case NL_IP_SCTP:
        if (size < 4)
            return;
        NL_SET(sport, uint16_t, nl_be16_at(p));
        NL_SET(dport, uint16_t, nl_be16_at(p + 2));
        if (proto == NL_IP_TCP)
            nl_parse_tcp(h, p, size);
        else if (proto == NL_IP_UDP && size >= 6)
            NL_SET(udp_length, uint16_t, nl_be16_at(p + 4));
        return;
    case NL_IP_ICMP:
    case NL_IP_ICMPV6:
        if ((proto == NL_IP_ICMP) == (version == 4))
            nl_parse_icmp(h, version, p, size);
        return;
    case NL_IP_ESP:
    case NL_IP_AH: {
        size_t at = proto == NL_IP_ESP ? 0 : 4;
        if (size >= at + 4 && !nl_has_part(h, NL_P_spi)) /* the outermost counts */
            NL_SET(spi, uint32_t, nl_be32_at(p + at));
        return;
    }
    default:
        return; /* a protocol without parts */
    }
}

/* ---- IP ---- */

static void nl_parse_v4(struct nl_headers *h, const uint8_t *p, size_t size)
{
    size_t header = (p[0] & 15) * 4u;
    if (p[0] >> 4 != 4 || header < 20 || size < 4)
        return;
    size_t length = nl_be16_at(p + 2);
    /* The kernel leaves the length of a TCP packet of more than 65,535 bytes at 0. */
    if (length ? length < header : size < 10 || p[9] != NL_IP_TCP)
        return;
    if (length) {
        NL_SET(length, uint32_t, length);
        size = size < length ? size : length; /* padding may follow */
    }
    NL_SET(tos, uint8_t, p[1]);
    if (size >= 6)
        NL_SET(ip_id, uint32_t, nl_be16_at(p + 4));
    if (size >= 8) {
        NL_SET(ip_flags, uint8_t, p[6] >> 5);
        NL_SET(frag_offset, uint16_t, (nl_be16_at(p + 6) & 0x1fff) * 8);
    }
    if (size >= 9)
        NL_SET(ttl, uint8_t, p[8]);
    if (size >= 10)
        NL_SET(proto, uint8_t, p[9]);
    if (size >= 16)
        NL_SET_V4(src, p + 12);
    if (size >= 20)
        NL_SET_V4(dst, p + 16);
    if (size > header && !(nl_be16_at(p + 6) & 0x1fff))
        nl_parse_carried(h, 4, p[9], p + header, size - header);
}

/* The length of a packet with a Jumbo Payload option (RFC 2675), else 0. options: the hop-by-hop options header. */
static size_t nl_jumbo_length(const uint8_t *options, size_t size)
{
    if (size < 2)
        return 0;
    size_t end = (options[1] + 1u) * 8;
    size = size < end ? size : end;
    for (size_t at = 2; at + 1 < size; at += options[at] ? options[at + 1] + 2u : 1)
        if (options[at] == NL_IPV6_JUMBO) {
            if (options[at + 1] != 4 || at + 6 > size || nl_be32_at(options + at + 2) <= 0xffff)
                return 0;
            return (size_t)nl_be32_at(options + at + 2) + NL_IPV6_HEADER;
        }
    return 0;
}

static void nl_parse_v6(struct nl_headers *h, const uint8_t *p, size_t size)
{
    if (p[0] >> 4 != 6)
        return;
    if (size >= 2)
        NL_SET(tos, uint8_t, nl_be16_at(p) >> 4);
    if (size >= 4)
        NL_SET(flow_label, uint32_t, nl_be32_at(p) & 0xfffff);
    if (size >= 8)
        NL_SET(ttl, uint8_t, p[7]);
    if (size >= 24)
        NL_SET_V6(src, p + 8);
    if (size >= 40)
        NL_SET_V6(dst, p + 24);
    if (size < 7)
        return;
    unsigned next = p[6];
    size_t length = nl_be16_at(p + 4) + (size_t)NL_IPV6_HEADER;
    size_t at = size < NL_IPV6_HEADER ? size : NL_IPV6_HEADER;
    if (length == NL_IPV6_HEADER && next == NL_IP_HOPOPTS) {
        length = nl_jumbo_length(p + at, size - at);
        if (!length)
            return;
    } else if (length == NL_IPV6_HEADER && next == NL_IP_TCP) {
        length = 0; /* a TCP packet of more than 65,535 bytes, as in IPv4 */
    }
    if (length) {
        NL_SET(length, uint32_t, length);
        size = size < length ? size : length;
    }
    for (int i = 0;; i++) {
        size_t left = size - at, skip;
        const uint8_t *header = p + at;
        switch (next) {
        case NL_IP_HOPOPTS:
        case NL_IP_ROUTING:
        case NL_IP_DSTOPTS:
            skip = left >= 2 ? (header[1] + 1u) * 8 : 0;
            break;
        case NL_IP_AH:
            skip = left >= 2 ? (header[1] + 2u) * 4 : 0;
            nl_parse_carried(h, 6, NL_IP_AH, header, left);
            break;
        case NL_IP_FRAGMENT:
            skip = nl_has_part(h, NL_P_frag_offset) ? 0 : 8; /* a fragment has one such header */
            break;
        default:
            NL_SET(proto, uint8_t, next);
            if (!nl_has_part(h, NL_P_frag_offset)) {
                NL_SET(ip_flags, uint8_t, 0);
                NL_SET(frag_offset, uint16_t, 0);
            }
            nl_parse_carried(h, 6, next, header, left);
            return;
        }
        if (!skip || left < skip || i == NL_EXTENSIONS_MAX)
            return;
        if (next == NL_IP_FRAGMENT) {
            unsigned offset = nl_be16_at(header + 2) & 0xfff8;
            NL_SET(ip_flags, uint8_t, header[3] & 1);
            NL_SET(frag_offset, uint16_t, offset);
            NL_SET(ip_id, uint32_t, nl_be32_at(header + 4));
            if (offset) {
                /* An extension header says nothing about what follows it in the other fragment. */
                next = header[0];
                if (next != NL_IP_HOPOPTS && next != NL_IP_ROUTING && next != NL_IP_DSTOPTS && next != NL_IP_AH &&
                    next != NL_IP_FRAGMENT)
                    NL_SET(proto, uint8_t, next);
                return;
            }
        }
        next = header[0];
        at += skip;
    }
}

/* Parses the headers of a packet of which size bytes are at hand. protocol: an ETH_P_*, which tells what the packet
 * begins with; 0 if it is not known, so that the version of IP in the first byte decides. */
static void nl_parse_packet(struct nl_headers *h, unsigned protocol, const uint8_t *p, size_t size)
{
    int known = protocol != 0;
    memset(h->present, 0, sizeof h->present);
    for (int i = 0; i < NL_TAGS_MAX && (protocol == NL_ETH_VLAN || protocol == NL_ETH_QINQ); i++) {
        if (size < 4)
            return;
        protocol = nl_be16_at(p + 2);
        p += 4;
        size -= 4;
    }
    if (!size)
        return;
    if (protocol == NL_ETH_IPV4 || (!known && p[0] >> 4 == 4))
        nl_parse_v4(h, p, size);
    else if (protocol == NL_ETH_IPV6 || (!known && p[0] >> 4 == 6))
        nl_parse_v6(h, p, size);
}

/* Whether the bytes begin as a packet of IPv4 or IPv6. */
static int nl_is_packet(unsigned protocol, const uint8_t *p, size_t size)
{
    if (protocol == NL_ETH_IPV4)
        return size && p[0] >> 4 == 4 && (p[0] & 15) >= 5;
    return protocol == NL_ETH_IPV6 && size && p[0] >> 4 == 6;
}

/* Parses the headers of a packet behind its link-layer header: that of Ethernet, or none, as on a tunnel of IP. The
 * bytes do not say which. Ethernet ends with the protocol; a packet of IP has its source address there. */
static void nl_parse_frame(struct nl_headers *h, unsigned protocol, const uint8_t *p, size_t size)
{
    int bare = nl_is_packet(protocol, p, size);
    size_t skip = NL_ETH_HEADER;
    if (size < skip || nl_be16_at(p + skip - 2) != protocol)
        skip = 0;
    if (bare && skip && !nl_is_packet(protocol, p + skip, size - skip))
        skip = 0;
    if (protocol && (bare || skip))
        nl_parse_packet(h, protocol, p + skip, size - skip);
    else
        memset(h->present, 0, sizeof h->present);
}

#undef NL_HAVE
#undef NL_SET
#undef NL_SET_V4
#undef NL_SET_V6

#endif
