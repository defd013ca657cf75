/* Keys of the elements of sets: as text, as intervals, and as items of lists in requests. */
#ifndef NETLINK_NFTABLES_ELEMENTS_H
#define NETLINK_NFTABLES_ELEMENTS_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "../../_engine/area.h"
#include "../../_wire.h"

/* Reads an address of IPv4 as inet_pton does, whatever follows it in memory. */
static inline int nl_text_ipv4(const char *text, size_t size, uint8_t *address)
{
    const char *at = text, *end = text + size;
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        if (i) {
            if (at == end || *at != '.')
                return 0;
            at++;
        }
        const char *begin = at;
        for (; at < end && *at >= '0' && *at <= '9' && at - begin < 3; at++)
            value = value * 10 + (unsigned)(*at - '0');
        if (at == begin || value > 255 || (*begin == '0' && at - begin > 1))
            return 0;
        address[i] = (uint8_t)value;
    }
    return at == end;
}

/* Reads an address of 4 or 16 bytes. 0 if the text is none. */
static inline int nl_text_address(const char *text, size_t size, unsigned width, uint8_t *address)
{
    char copy[INET6_ADDRSTRLEN];
    if (width == 4)
        return nl_text_ipv4(text, size, address);
    if (size >= sizeof copy || memchr(text, 0, size))
        return 0;
    memcpy(copy, text, size);
    copy[size] = 0;
    return inet_pton(AF_INET6, copy, address) == 1;
}

/* Sets the bits behind a prefix: the last key of the network. 0 if its first key has some of them. */
static inline int nl_last_of(const uint8_t *first, unsigned width, unsigned bits, uint8_t *last)
{
    for (unsigned i = 0; i < width; i++) {
        unsigned rest = bits >= 8 * (i + 1) ? 0 : bits <= 8 * i ? 0xff : 0xffu >> (bits - 8 * i);
        if (first[i] & rest)
            return 0;
        last[i] = (uint8_t)(first[i] | rest);
    }
    return 1;
}

/* Reads an address, a network "address/bits" or a range "address-address". 0 if the text is none of these. */
static inline int nl_text_span(const char *text, size_t size, unsigned width, uint8_t *first, uint8_t *last)
{
    const char *end = text + size, *bar = text;
    unsigned bits = 0;
    while (bar < end && *bar != '/' && *bar != '-')
        bar++;
    if (!nl_text_address(text, (size_t)(bar - text), width, first))
        return 0;
    if (bar == end) {
        memcpy(last, first, width);
        return 1;
    }
    if (*bar == '-')
        return nl_text_address(bar + 1, (size_t)(end - bar - 1), width, last) && memcmp(first, last, width) <= 0;
    if (end - bar < 2 || end - bar > 4)
        return 0;
    for (bar++; bar < end; bar++) {
        if (*bar < '0' || *bar > '9')
            return 0;
        bits = bits * 10 + (unsigned)(*bar - '0');
    }
    return bits <= width * 8 && nl_last_of(first, width, bits, last);
}

/* Rows side by side: the first key, the last key, and in maps a value. */
struct nl_spans {
    uint8_t *rows;
    size_t count, stride;
    unsigned width, value; /* bytes of each key and, behind the two, of what is compared of a value */
};

static int nl_compare_spans(const void *a, const void *b, void *spans)
{
    return memcmp(a, b, 2 * (size_t)((const struct nl_spans *)spans)->width);
}

/* Makes the key behind a key in network byte order. 0 if there is none. */
static inline int nl_key_behind(const uint8_t *key, unsigned width, uint8_t *behind)
{
    memcpy(behind, key, width);
    for (unsigned i = width; i-- > 0;)
        if (++behind[i])
            return 1;
    return 0;
}

/* Sorts intervals, and merges those that meet or overlap and have the same value. Returns the number of a row that
 * overlaps the one before it with another value, or 0. */
static inline size_t nl_spans_merge(struct nl_spans *s)
{
    uint8_t behind[16];
    size_t kept = 0;
    int sorted = 1;
    for (size_t i = 1; i < s->count && sorted; i++)
        sorted = nl_compare_spans(s->rows + (i - 1) * s->stride, s->rows + i * s->stride, s) <= 0;
    if (!sorted)
        qsort_r(s->rows, s->count, s->stride, nl_compare_spans, s);
    for (size_t i = 1; i < s->count; i++) {
        uint8_t *before = s->rows + kept * s->stride, *row = s->rows + i * s->stride;
        uint8_t *last = before + s->width;
        int bounded = nl_key_behind(last, s->width, behind);
        int meets = bounded ? memcmp(row, behind, s->width) : -1;
        if (meets <= 0 && memcmp(before + 2 * s->width, row + 2 * s->width, s->value) == 0) {
            if (memcmp(row + s->width, last, s->width) > 0)
                memcpy(last, row + s->width, s->width);
            continue;
        }
        if (meets < 0) {
            memmove(s->rows + (kept + 1) * s->stride, row, s->stride);
            return kept + 1;
        }
        if (++kept < i)
            memcpy(s->rows + kept * s->stride, row, s->stride);
    }
    s->count = s->count ? kept + 1 : 0;
    return 0;
}

/* Payloads of requests, one behind the other, each a head and a list of items. */
struct nl_payloads {
    const uint8_t *head;
    size_t head_size;
    uint16_t list, item; /* types of the attributes */
    struct nl_area out;
    struct nl_area ends; /* size_t of each payload but the last */
    size_t open;         /* of the list that grows */
};

static inline void nl_put_attribute(uint8_t *at, uint16_t size, uint16_t type)
{
    memcpy(at, &size, 2);
    memcpy(at + 2, &type, 2);
}

static inline int nl_payload_begin(struct nl_payloads *p)
{
    size_t begin = p->out.size, head = nl_align(p->head_size);
    if (nl_area_reserve(&p->out, head + 4) < 0)
        return -ENOMEM;
    if (begin) {
        if (nl_area_reserve(&p->ends, sizeof begin) < 0)
            return -ENOMEM;
        memcpy(p->ends.data + p->ends.size, &begin, sizeof begin);
        p->ends.size += sizeof begin;
    }
    memset(p->out.data + begin, 0, head);
    memcpy(p->out.data + begin, p->head, p->head_size);
    p->open = begin + head;
    p->out.size = p->open + 4;
    nl_put_attribute(p->out.data + p->open, 4, p->list | NL_ATTR_NESTED);
    return 0;
}

/* Adds an item of so many bytes, a multiple of 4, to the list, or to one in another payload if the list is full, and
 * returns where the caller is to write it. NULL without memory. The item is no longer than 65,528 bytes. */
static inline uint8_t *nl_payload_item(struct nl_payloads *p, size_t size)
{
    if ((!p->out.size || p->out.size - p->open + 4 + size > UINT16_MAX) && nl_payload_begin(p) < 0)
        return NULL;
    if (nl_area_reserve(&p->out, 4 + size) < 0)
        return NULL;
    uint8_t *at = p->out.data + p->out.size;
    nl_put_attribute(at, (uint16_t)(4 + size), p->item | NL_ATTR_NESTED);
    p->out.size += 4 + size;
    nl_put_attribute(p->out.data + p->open, (uint16_t)(p->out.size - p->open), p->list | NL_ATTR_NESTED);
    return at + 4;
}

#endif
