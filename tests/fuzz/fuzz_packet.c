/* Fuzz target: the headers of packets that are made of the input.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes so many inputs and takes those in
 * files. The parser must read nothing beside the packet, and of a packet that was cut it must find some of the parts of
 * the whole one, with the same values. Parts that belong to different protocols exclude each other. */
#include "../../src/netlink/_engine/packet.h"
#include "target.h"

static const unsigned protocols[] = {NL_ETH_IPV4, NL_ETH_IPV6, 0,           NL_ETH_VLAN,
                                     NL_ETH_QINQ, 0x0806,      NL_ETH_IPV4, NL_ETH_IPV6};
static const uint8_t carried[] = {
    NL_IP_TCP,     NL_IP_UDP, NL_IP_ICMP,     NL_IP_ICMPV6, NL_IP_SCTP,    NL_IP_DCCP, NL_IP_HOPOPTS, NL_IP_ROUTING,
    NL_IP_DSTOPTS, NL_IP_AH,  NL_IP_FRAGMENT, NL_IP_ESP,    NL_IP_UDPLITE, NL_IP_NONE, NL_IP_TCP,     47};

typedef void parser(struct nl_headers *h, unsigned protocol, const uint8_t *p, size_t size);

/* Parses a copy of exactly these bytes. */
static void parse_by(parser *parse, struct nl_headers *h, unsigned protocol, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + !size);
    CHECK(copy);
    memcpy(copy, data, size);
    memset(h, 0xa5, sizeof *h);
    parse(h, protocol, copy, size);
    free(copy);
}

static void parse(struct nl_headers *h, unsigned protocol, const uint8_t *data, size_t size)
{
    parse_by(nl_parse_packet, h, protocol, data, size);
}

static unsigned count(const struct nl_headers *h)
{
    unsigned found = 0;
    for (unsigned part = 0; part < NL_PART_COUNT; part++)
        found += (unsigned)nl_has_part(h, part);
    return found;
}

static void check_whole(const struct nl_headers *h)
{
    int ports = nl_has_part(h, NL_P_sport), icmp = nl_has_part(h, NL_P_icmp_type), v6 = nl_has_part(h, NL_P_flow_label);
    uint16_t offset = 0;
    CHECK(ports == nl_has_part(h, NL_P_dport));
    CHECK(icmp == nl_has_part(h, NL_P_icmp_code));
    CHECK(!(ports && icmp));
    CHECK(nl_has_part(h, NL_P_tcp_seq) + nl_has_part(h, NL_P_udp_length) + nl_has_part(h, NL_P_icmp_id) +
              nl_has_part(h, NL_P_icmp_mtu) <=
          1);
    CHECK(!nl_has_part(h, NL_P_tcp_seq) || ports);
    CHECK(!nl_has_part(h, NL_P_udp_length) || ports);
    if (ports || icmp) {
        CHECK(nl_has_part(h, NL_P_proto) && nl_has_part(h, NL_P_dst) && nl_has_part(h, NL_P_frag_offset));
        memcpy(&offset, h->frag_offset, 2);
        CHECK(!offset);
    }
    if (nl_has_part(h, NL_P_src))
        CHECK(h->src[16] == (v6 ? 6 : 4));
    if (nl_has_part(h, NL_P_dst))
        CHECK(h->dst[16] == h->src[16]);
}

/* A packet of IP has the parts of the whole one behind a header of Ethernet, and without one unless it looks as if. */
static void check_frame(const struct nl_headers *whole, unsigned protocol, const uint8_t *packet, size_t size)
{
    struct nl_headers framed;
    uint8_t frame[1024 + NL_ETH_HEADER] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    frame[NL_ETH_HEADER - 2] = (uint8_t)(protocol >> 8);
    frame[NL_ETH_HEADER - 1] = (uint8_t)protocol;
    memcpy(frame + NL_ETH_HEADER, packet, size);
    parse_by(nl_parse_frame, &framed, protocol, frame, size + NL_ETH_HEADER);
    if (protocol)
        CHECK(count(&framed) == count(whole) && !memcmp(framed.present, whole->present, sizeof framed.present));
    else
        CHECK(!count(&framed));
    parse_by(nl_parse_frame, &framed, protocol, packet, size);
    check_whole(&framed);
    if (nl_is_packet(protocol, packet, size) && (size < NL_ETH_HEADER || nl_be16_at(packet + 12) != protocol))
        CHECK(!memcmp(framed.present, whole->present, sizeof framed.present));
}

static long found;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nl_headers whole, part;
    uint8_t packet[1024];
    if (size < 4)
        return 0;
    unsigned protocol = protocols[data[0] & 7], guided = data[0] >> 3, cut = data[1];
    data += 2;
    size = size - 2 < sizeof packet ? size - 2 : sizeof packet;
    memcpy(packet, data, size);
    /* Most inputs begin as a packet does. */
    if (guided & 1) {
        packet[0] = (uint8_t)(protocol == NL_ETH_IPV6 ? 0x60 | (packet[0] & 15) : 0x45 + (packet[0] & 1));
        if (guided & 2 && size > 40) {
            packet[protocol == NL_ETH_IPV6 ? 4 : 2] = 0; /* the length */
            packet[protocol == NL_ETH_IPV6 ? 5 : 3] |= 64;
            for (size_t i = 40; i < size; i += 8)
                packet[i] = carried[packet[i] & 15];
            for (size_t i = 41; i < size; i += 8)
                packet[i] &= 1;
            packet[protocol == NL_ETH_IPV6 ? 6 : 9] = carried[packet[9] & 15];
        }
        if (guided & 4 && protocol == NL_ETH_IPV4 && size > 6)
            packet[6] = packet[7] = 0;
    }
    parse(&whole, protocol, packet, size);
    check_whole(&whole);
    check_frame(&whole, protocol, packet, size);
    found += nl_has_part(&whole, NL_P_sport);
    for (size_t i = cut & 7; i < size && i < 200; i += 1 + cut % 5) {
        parse(&part, protocol, packet, i);
        check_whole(&part);
        CHECK(count(&part) <= count(&whole));
        for (unsigned p = 0; p < NL_PART_COUNT; p++)
            if (nl_has_part(&part, p))
                CHECK(nl_has_part(&whole, p) && !memcmp((uint8_t *)&part + nl_parts[p].offset,
                                                        (uint8_t *)&whole + nl_parts[p].offset, nl_parts[p].size));
    }
    return 0;
}

#ifdef STANDALONE
/* Prints how many of the packets had ports. */
int main(int argc, char **argv)
{
    return run_program(argc, argv, &found);
}
#endif
