/* Lengths and checksums of a packet: IPv4, IPv6, TCP, UDP, ICMP, ICMPv6.
 *
 * Plain C without Python. RFC 1071, 791, 8200, 9293, 768, 792, 4443, 8754.
 */
#ifndef NETLINK_CHECKSUM_H
#define NETLINK_CHECKSUM_H

#include "packet.h"

/* What nl_fix_checksums refuses. */
enum nl_checksum_fault {
    NL_SUM_OK,
    NL_SUM_NO_IP,    /* neither IPv4 nor IPv6 */
    NL_SUM_TOO_LONG, /* more than the length field can say */
    NL_SUM_HEADER,   /* the IP header, with options or extension headers, is cut or contradicts itself */
    NL_SUM_CARRIED,  /* the header that IP carries is cut */
};

/* Adds big-endian 16-bit words. Sums of up to 2^32 bytes fit. */
static uint64_t nl_sum(uint64_t sum, const uint8_t *p, size_t size)
{
    for (; size >= 8; p += 8, size -= 8)
        sum += (uint64_t)nl_be32_at(p) + nl_be32_at(p + 4);
    for (; size >= 2; p += 2, size -= 2)
        sum += nl_be16_at(p);
    return size ? sum + ((uint64_t)p[0] << 8) : sum;
}

static uint16_t nl_folded(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void nl_put_be16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* The header that IP carries. pseudo: the sum of the addresses of its pseudo-header. */
static int nl_fix_carried(unsigned version, unsigned proto, uint64_t pseudo, uint8_t *p, size_t size)
{
    size_t at, least;
    switch (proto) {
    case NL_IP_TCP:
        at = 16, least = 20;
        break;
    case NL_IP_UDP:
        at = 6, least = 8;
        break;
    case NL_IP_ICMP:
        if (version != 4)
            return NL_SUM_OK;
        at = 2, least = 4;
        break;
    case NL_IP_ICMPV6:
        if (version != 6)
            return NL_SUM_OK;
        at = 2, least = 4;
        break;
    default:
        return NL_SUM_OK;
    }
    if (size < least)
        return NL_SUM_CARRIED;
    if (proto == NL_IP_UDP)
        nl_put_be16(p + 4, size);
    nl_put_be16(p + at, 0);
    uint64_t sum = proto == NL_IP_ICMP ? 0 : pseudo + proto + size;
    unsigned value = nl_folded(nl_sum(sum, p, size));
    /* A UDP checksum of 0 says that there is none. */
    nl_put_be16(p + at, proto == NL_IP_UDP && !value ? 0xffff : value);
    return NL_SUM_OK;
}

static int nl_fix_v4(uint8_t *p, size_t size)
{
    size_t header = (p[0] & 15) * 4u;
    if (size < 20 || header < 20 || header > size)
        return NL_SUM_HEADER;
    if (size > 0xffff)
        return NL_SUM_TOO_LONG;
    nl_put_be16(p + 2, size);
    nl_put_be16(p + 10, 0);
    nl_put_be16(p + 10, nl_folded(nl_sum(0, p, header)));
    if (nl_be16_at(p + 6) & 0x3fff) /* a fragment: the checksum is of the whole packet */
        return NL_SUM_OK;
    return nl_fix_carried(4, p[9], nl_sum(0, p + 12, 8), p + header, size - header);
}

static int nl_fix_v6(uint8_t *p, size_t size)
{
    if (size < NL_IPV6_HEADER)
        return NL_SUM_HEADER;
    if (size - NL_IPV6_HEADER > 0xffff)
        return NL_SUM_TOO_LONG;
    nl_put_be16(p + 4, size - NL_IPV6_HEADER);
    const uint8_t *destination = p + 24;
    unsigned next = p[6];
    size_t at = NL_IPV6_HEADER;
    for (int i = 0;; i++) {
        size_t left = size - at, skip;
        const uint8_t *header = p + at;
        if (next != NL_IP_HOPOPTS && next != NL_IP_ROUTING && next != NL_IP_DSTOPTS && next != NL_IP_FRAGMENT)
            break;
        if (left < 8 || i == NL_EXTENSIONS_MAX)
            return NL_SUM_HEADER;
        skip = next == NL_IP_FRAGMENT ? 8 : (header[1] + 1u) * 8;
        if (left < skip)
            return NL_SUM_HEADER;
        if (next == NL_IP_FRAGMENT && nl_be16_at(header + 2) & 0xfff9)
            return NL_SUM_OK;
        /* The pseudo-header has the last address of a route. Segment routing lists it first. */
        if (next == NL_IP_ROUTING && header[3] && skip >= 24)
            destination = header[2] == 4 ? header + 8 : header + skip - 16;
        next = header[0];
        at += skip;
    }
    return nl_fix_carried(6, next, nl_sum(nl_sum(0, p + 8, 16), destination, 16), p + at, size - at);
}

/* Fixes the lengths and checksums of a whole packet, from its network header on. */
static int nl_fix_checksums(uint8_t *p, size_t size)
{
    unsigned version = size ? p[0] >> 4 : 0;
    return version == 4 ? nl_fix_v4(p, size) : version == 6 ? nl_fix_v6(p, size) : NL_SUM_NO_IP;
}

#endif
