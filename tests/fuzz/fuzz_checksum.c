/* Fuzz target: lengths and checksums of packets that are made of the input.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes so many inputs and takes those in
 * files. Nothing beside the packet is read or written; what is right stays as it is; only lengths and checksums change,
 * and the receiver's sum over them, taken here byte by byte, is that of a packet in order. */
#include <string.h>

#include "../../src/netlink/_engine/checksum.h"
#include "target.h"

enum { V4 = 20, V6 = 40 };

static long fixed;

/* The sum that a receiver checks: 0xffff if all is right. */
static unsigned received(unsigned sum, const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static unsigned word(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* Where the checksum of a protocol is, behind its header's start; 0 if this is none that has one. */
static size_t place_of(unsigned proto, unsigned version)
{
    return proto == NL_IP_TCP                                    ? 16
           : proto == NL_IP_UDP                                  ? 6
           : proto == (version == 4 ? NL_IP_ICMP : NL_IP_ICMPV6) ? 2
                                                                 : 0;
}

/* The carried header of a packet, unless it is a fragment's. start: of the bytes that IP carries. */
static void check_carried(const uint8_t *p, size_t size, size_t start, unsigned proto, unsigned version)
{
    size_t left = size - start, at = place_of(proto, version);
    unsigned sum = 0;
    if (!at)
        return;
    if (proto != NL_IP_ICMP) {
        sum = version == 4 ? received(0, p + 12, 8) : received(0, p + 8, 32);
        sum += proto + (unsigned)left;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    CHECK(received(sum, p + start, left) == 0xffff);
    if (proto == NL_IP_UDP) {
        CHECK(word(p + start + 4) == left);
        CHECK(word(p + start + 6)); /* 0 says that there is none */
    }
    fixed++;
}

static void check_right(const uint8_t *before, const uint8_t *after, size_t size)
{
    unsigned version = after[0] >> 4, proto;
    size_t start, changed = 0;
    int whole = 1, plain = 1;
    CHECK(size >= (version == 4 ? V4 : V6));
    if (version == 4) {
        start = (after[0] & 15) * 4u;
        proto = after[9];
        whole = !(word(after + 6) & 0x3fff);
        CHECK(word(after + 2) == size);
        CHECK(received(0, after, start) == 0xffff);
    } else {
        start = V6;
        proto = after[6];
        plain = proto != NL_IP_HOPOPTS && proto != NL_IP_ROUTING && proto != NL_IP_DSTOPTS && proto != NL_IP_FRAGMENT;
        CHECK(word(after + 4) == size - V6);
    }
    if (whole && plain)
        check_carried(after, size, start, proto, version);
    for (size_t i = 0; i < size; i++) {
        int of_ip = version == 4 ? i / 2 == 1 || i / 2 == 5 : i / 2 == 2;
        changed += before[i] != after[i] && !of_ip;
        if (before[i] != after[i] && i < start)
            CHECK(of_ip);
        if (before[i] != after[i] && whole && plain && i >= start) {
            size_t in = (i - start) / 2, at = place_of(proto, version);
            CHECK(in == at / 2 || (proto == NL_IP_UDP && in == 2));
        }
    }
    CHECK(changed <= 4); /* a checksum, and the length of UDP */
    CHECK(whole || !changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    unsigned guided = data[0];
    size_t length = size - 1 + (guided >> 7 ? 0 : (size_t)data[1] * 300); /* some are too long */
    uint8_t *before = malloc(length + !length), *after = malloc(length + !length);
    CHECK(before && after);
    for (size_t i = 0; i < length; i++)
        before[i] = data[1 + i % (size - 1)];
    /* Most inputs begin as a packet does. */
    if (guided & 1 && length) {
        static const uint8_t carried[] = {NL_IP_TCP, NL_IP_UDP, NL_IP_ICMP, NL_IP_ICMPV6};
        before[0] = guided & 2 ? 0x60 : (uint8_t)(0x45 + (guided >> 6 & 1));
        size_t at = guided & 2 ? 6 : 9;
        if (guided & 4 && length > at)
            before[at] = carried[guided >> 4 & 3];
        if (guided & 8 && !(guided & 2) && length > 7)
            before[6] = before[7] = 0;
    }
    memcpy(after, before, length);
    int result = nl_fix_checksums(after, length);
    if (result == NL_SUM_OK) {
        uint8_t *again = malloc(length);
        CHECK(again);
        check_right(before, after, length);
        memcpy(again, after, length);
        CHECK(nl_fix_checksums(again, length) == NL_SUM_OK);
        CHECK(!memcmp(again, after, length));
        free(again);
    } else {
        unsigned version = length ? before[0] >> 4 : 0;
        CHECK((result == NL_SUM_NO_IP) == (version != 4 && version != 6));
        if (result == NL_SUM_NO_IP)
            CHECK(!memcmp(before, after, length));
        if (result == NL_SUM_TOO_LONG)
            CHECK(length > 0xffff);
    }
    free(before);
    free(after);
    return 0;
}

#ifdef STANDALONE
/* Prints of how many packets the checksum behind the IP header was set. */
int main(int argc, char **argv)
{
    return run_program(argc, argv, &fixed);
}
#endif
