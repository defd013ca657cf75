/* Datagrams of protocols that have no attributes, written as attributes, so that declarations read them: structs whose
 * layout one of their members tells, texts KEY=VALUE, and lines with the stamp of the audit system.
 *
 * Plain C without Python. Every function appends attributes to an area. It returns 0, NL_FORM_OTHER if the datagram has
 * another form, or a negative errno. It reads nothing beside the datagram. */
#ifndef NETLINK_FORM_H
#define NETLINK_FORM_H

#include "plan.h"

enum { NL_FORM_OTHER = 1 };

/* A member of a struct, and the attribute that it becomes. */
struct nl_member {
    uint32_t at;     /* offset in the datagram */
    uint32_t width;  /* bytes; 0: all that follow */
    uint32_t length; /* of these: offset of the 2 bytes that tell their number; 0: up to the end of the datagram */
    uint16_t type;
};

/* The members of a struct for one value of the member that tells its layout. */
struct nl_layout {
    uint32_t value;
    uint32_t ignored; /* whether such a datagram is of no interest */
    const struct nl_member *members;
    size_t count;
};

/* A text: a key of texts KEY=VALUE with the attribute that its value becomes, or a whole one that is wanted. */
struct nl_text_key {
    const char *name;
    size_t size;
    uint16_t type;
    uint16_t width; /* of an integer; 0: text */
};

static inline int nl_form_put(struct nl_area *out, uint16_t type, const void *bytes, size_t size)
{
    size_t at;
    if (nl_open_attribute(out, type, &at) < 0 || nl_put(out, bytes, size) < 0)
        return -ENOMEM;
    return nl_close_attribute(out, at);
}

/* A member that the datagram is too short for is left out, as of an older kernel. */
static inline int nl_form_member(const struct nl_member *m, const uint8_t *data, size_t size, struct nl_area *out)
{
    if (m->width)
        return size < m->at || size - m->at < m->width ? 0 : nl_form_put(out, m->type, data + m->at, m->width);
    if (size < m->at)
        return 0;
    size_t rest = size - m->at;
    if (m->length && size >= (size_t)m->length + 2 && nl_load16(data + m->length) < rest)
        rest = nl_load16(data + m->length);
    return nl_form_put(out, m->type, data + m->at, rest);
}

static inline int nl_form_layout(const struct nl_layout *l, const uint8_t *data, size_t size, struct nl_area *out)
{
    int result = 0;
    for (size_t i = 0; i < l->count && !result; i++)
        result = nl_form_member(l->members + i, data, size, out);
    return result;
}

/* An unsigned decimal number of all these bytes: 0, or -1 if they are none of 64 bits. */
static inline int nl_form_number(const uint8_t *text, size_t size, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = text[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)digit, number))
            return -1;
    }
    return size ? 0 : -1;
}

static inline int nl_form_integer(struct nl_area *out, uint16_t type, unsigned width, uint64_t number)
{
    uint8_t bytes[8];
    if (width < 8 && number >> (8 * width))
        return 0;
    nl_store_int(bytes, number, width, 0);
    return nl_form_put(out, type, bytes, width);
}

/* One text: a property if it has a "=" behind the first byte. all: the attribute type of every property. */
static inline int nl_form_text(const struct nl_text_key *keys, size_t count, uint16_t all, const uint8_t *text,
                               size_t size, struct nl_area *out)
{
    const uint8_t *equals = size ? memchr(text, '=', size) : NULL;
    if (!equals || equals == text)
        return 0;
    size_t key = (size_t)(equals - text);
    for (size_t i = 0; i < count; i++) {
        const struct nl_text_key *k = keys + i;
        uint64_t number;
        if (k->size != key || memcmp(k->name, text, key) != 0)
            continue;
        int result = 0;
        if (!k->width)
            result = nl_form_put(out, k->type, equals + 1, size - key - 1);
        else if (nl_form_number(equals + 1, size - key - 1, &number) == 0)
            result = nl_form_integer(out, k->type, k->width, number);
        if (result)
            return result;
        break;
    }
    return nl_form_put(out, all, text, size);
}

/* Texts with a NUL behind each, the last perhaps without. */
static inline int nl_form_texts(const struct nl_text_key *keys, size_t count, uint16_t all, const uint8_t *data,
                                size_t size, struct nl_area *out)
{
    while (size) {
        const uint8_t *end = memchr(data, 0, size);
        size_t length = end ? (size_t)(end - data) : size;
        int result = nl_form_text(keys, count, all, data, length, out);
        if (result)
            return result;
        length += end != NULL;
        data += length;
        size -= length;
    }
    return 0;
}

/* Whether one of these texts, each without a NUL, is among those of a datagram. */
static inline int nl_form_has(const struct nl_text_key *wanted, size_t count, const uint8_t *data, size_t size)
{
    while (size) {
        const uint8_t *end = memchr(data, 0, size);
        size_t length = end ? (size_t)(end - data) : size;
        for (size_t i = 0; i < count; i++)
            if (wanted[i].size == length && memcmp(wanted[i].name, data, length) == 0)
                return 1;
        length += end != NULL;
        data += length;
        size -= length;
    }
    return 0;
}

/* Digits before a byte: how many, or 0 if they are no number, or another byte follows. */
static inline size_t nl_form_digits(const uint8_t *text, size_t size, uint8_t before, uint64_t *number)
{
    size_t n = 0;
    while (n < size && text[n] >= '0' && text[n] <= '9')
        n++;
    return n < size && text[n] == before && nl_form_number(text, n, number) == 0 ? n : 0;
}

/* The stamp before the text of an audit record, "audit(SECONDS.MILLISECONDS:SERIAL): ": its length, or 0. ms: since
 * 1970. */
static inline size_t nl_form_stamp(const uint8_t *text, size_t size, uint64_t *ms, uint64_t *serial)
{
    static const char begin[] = "audit(";
    size_t at = sizeof begin - 1, digits;
    uint64_t seconds;
    if (size < at || memcmp(text, begin, at) != 0)
        return 0;
    digits = nl_form_digits(text + at, size - at, '.', &seconds);
    if (!digits || __builtin_mul_overflow(seconds, UINT64_C(1000), &seconds))
        return 0;
    at += digits + 1;
    digits = nl_form_digits(text + at, size - at, ':', ms);
    if (digits != 3 || __builtin_add_overflow(seconds, *ms, ms))
        return 0;
    at += digits + 1;
    digits = nl_form_digits(text + at, size - at, ')', serial);
    if (!digits)
        return 0;
    at += digits + 1;
    if (at < size && text[at] == ':')
        at++;
    if (at < size && text[at] == ' ')
        at++;
    return at;
}

#endif
