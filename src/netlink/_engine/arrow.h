/* Columns of the Arrow C data interface, gathered from the records of a batch.
 *
 * Plain C without Python, as plan.h. An nl_column describes the place of its
 * values in a record and their Arrow type. An nl_builder collects the values, a
 * block of records at a time for all columns: the block stays in the cache.
 *
 * Exported arrays and schemas own their memory and refer to nothing else. A
 * consumer may move their parts, and release them from any thread in any order.
 * Only an nl_array_stream reads the records while it lives.
 *
 * https://arrow.apache.org/docs/format/CDataInterface.html
 */
#ifndef NETLINK_ARROW_H
#define NETLINK_ARROW_H

#include <stdatomic.h>
#include <stdio.h>

#include "packet.h"
#include "plan.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_NULLABLE 2

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

enum {
    NL_BLOCK = 256,       /* records gathered together */
    NL_CHUNK = 1 << 17,   /* rows of an array in a stream */
    NL_ADDRESS_TEXT = 40, /* characters of the longest address */
};

/* The form of a column's values in the record. */
enum nl_column_kind {
    NL_COL_STRUCT,  /* the children, in the same record; never null */
    NL_COL_FIXED,   /* width bytes, copied unchanged */
    NL_COL_TERM,    /* an integer of width bytes: becomes an index into a dictionary of names */
    NL_COL_TRUE,    /* presence alone */
    NL_COL_MAPPED,  /* an address: becomes 16 bytes, an IPv4 one as ::ffff:a.b.c.d */
    NL_COL_ADDRESS, /* an address: becomes text */
    NL_COL_MAC,     /* 6 bytes: become text */
    NL_COL_LLADDR,  /* nl_ref into the heap: becomes text as NL_COL_MAC does */
    NL_COL_TEXT,    /* nl_ref into the heap: becomes valid UTF-8 */
    NL_COL_BINARY,  /* nl_ref into the heap */
    NL_COL_VIEW,    /* nl_ref into the datagrams */
    NL_COL_RAW,     /* nl_sub: the payload if no case fits, else null */
    NL_COL_LIST,    /* nl_list; the child is the item */
    NL_COL_TEXTS,   /* nl_ref to texts in the heap, with a NUL between them; the child is the text */
    NL_COL_PACKED,  /* nl_ref to integers in the heap; the child is the integer */
    NL_COL_PART,    /* an address of nl_headers, or another stored as a whole: becomes text */
    NL_COL_RECORD,  /* a record: becomes its attributes, encoded again */
};

#define NL_HOP_RARE UINT32_MAX

/* A step from a record to one in the heap that it refers to. */
struct nl_hop {
    uint32_t offset; /* of the reference */
    uint32_t which;  /* NL_HOP_RARE, or the case that the nl_sub must have */
};

struct nl_column {
    const char *name, *format;
    uint8_t kind;
    uint8_t mask;      /* of the presence bit */
    uint8_t flags;     /* of an integer; of a record, whether it is whole: as nl_decode_whole decodes it */
    uint32_t presence; /* offset of its byte */
    uint32_t offset;
    uint32_t width;
    uint32_t hop_count, child_count, term_count;
    const struct nl_hop *hops; /* the steps to the record with the value */
    const struct nl_column **children;
    const uint64_t *term_values;
    const char **term_names;
    const struct nl_set *set;       /* of a record */
    const struct nl_source *source; /* the packet in whose nl_headers the values lie; NULL: they lie in the record */
};

/* The columns that a packet is found by. All but payload may be NULL. */
struct nl_source {
    const struct nl_column *payload;  /* NL_COL_VIEW */
    const struct nl_column *family;   /* NFPROTO_* */
    const struct nl_column *protocol; /* ETH_P_* */
    const struct nl_column *hook;     /* NF_NETDEV_* in the netdev family */
    const struct nl_column *link;     /* NL_COL_BINARY, the link-layer header */
    int framed;                       /* whether the payload begins with a link-layer header: nl_parse_frame */
};

enum {
    NL_FAMILY_IPV4 = 2,   /* NFPROTO_IPV4 */
    NL_FAMILY_NETDEV = 5, /* NFPROTO_NETDEV */
    NL_FAMILY_IPV6 = 10,  /* NFPROTO_IPV6 */
    NL_HOOK_EGRESS = 1,   /* NF_NETDEV_EGRESS */
};

/* ---- schema ---- */

struct nl_schema_holder {
    char *name;
    struct ArrowSchema dictionary;
    struct ArrowSchema *parts;
    struct ArrowSchema **children;
};

static void nl_schema_release(struct ArrowSchema *s)
{
    struct nl_schema_holder *holder = (struct nl_schema_holder *)s->private_data;
    for (int64_t i = 0; i < s->n_children; i++)
        if (holder->parts[i].release)
            holder->parts[i].release(&holder->parts[i]);
    if (holder->dictionary.release)
        holder->dictionary.release(&holder->dictionary);
    free(holder->name);
    free(holder->parts);
    free(holder->children);
    free(holder);
    s->release = NULL;
}

/* 0, or ENOMEM. */
static int nl_schema_make(struct ArrowSchema *out, const char *name, const char *format, size_t children,
                          int dictionary)
{
    size_t name_size = strlen(name) + 1, format_size = strlen(format) + 1;
    struct nl_schema_holder *holder = (struct nl_schema_holder *)calloc(1, sizeof *holder);
    memset(out, 0, sizeof *out);
    if (!holder)
        return ENOMEM;
    out->private_data = holder;
    out->release = nl_schema_release;
    holder->name = (char *)malloc(name_size + format_size);
    holder->parts = (struct ArrowSchema *)calloc(children + 1, sizeof *holder->parts);
    holder->children = (struct ArrowSchema **)calloc(children + 1, sizeof *holder->children);
    if (!holder->name || !holder->parts || !holder->children) {
        nl_schema_release(out);
        return ENOMEM;
    }
    memcpy(holder->name, name, name_size);
    memcpy(holder->name + name_size, format, format_size);
    out->name = holder->name;
    out->format = holder->name + name_size;
    out->flags = ARROW_FLAG_NULLABLE;
    out->children = holder->children;
    out->n_children = (int64_t)children;
    for (size_t i = 0; i < children; i++)
        holder->children[i] = &holder->parts[i];
    out->dictionary = dictionary ? &holder->dictionary : NULL;
    return 0;
}

/* 0, or ENOMEM and nothing to release. */
static int nl_schema_export(const struct nl_column *column, struct ArrowSchema *out)
{
    int result = nl_schema_make(out, column->name, column->format, column->child_count, column->kind == NL_COL_TERM);
    if (result)
        return result;
    for (uint32_t i = 0; i < column->child_count && !result; i++)
        result = nl_schema_export(column->children[i], out->children[i]);
    if (!result && out->dictionary)
        result = nl_schema_make(out->dictionary, "", "u", 0, 0);
    if (result)
        nl_schema_release(out);
    return result;
}

/* ---- text ---- */

static inline char *nl_text_u8(char *to, unsigned value)
{
    if (value >= 100)
        *to++ = (char)('0' + value / 100);
    if (value >= 10)
        *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

static inline char *nl_text_v4(char *to, const uint8_t *a)
{
    for (int i = 0; i < 4; i++) {
        if (i)
            *to++ = '.';
        to = nl_text_u8(to, a[i]);
    }
    return to;
}

/* RFC 5952: "::" replaces the first of the longest runs of zeros, and ::ffff:0:0/96 ends in dotted decimal. */
static char *nl_text_v6(char *to, const uint8_t *a)
{
    static const char digits[] = "0123456789abcdef";
    unsigned words[8];
    int start = 8, longest = 1;
    if (!memcmp(a, nl_mapped, sizeof nl_mapped)) {
        memcpy(to, "::ffff:", 7);
        return nl_text_v4(to + 7, a + 12);
    }
    for (int i = 0; i < 8; i++)
        words[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
    for (int i = 0, run = 0; i < 8; i++) {
        run = words[i] ? 0 : run + 1;
        if (run > longest) {
            longest = run;
            start = i - run + 1;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == start) {
            *to++ = ':';
            i += longest - 1;
            if (i == 7)
                *to++ = ':';
            continue;
        }
        if (i)
            *to++ = ':';
        for (int shift = 12, begun = 0; shift >= 0; shift -= 4) {
            unsigned digit = words[i] >> shift & 15;
            begun |= digit || !shift;
            if (begun)
                *to++ = digits[digit];
        }
    }
    return to;
}

/* Writes n bytes in hexadecimal, a colon before each: 3 * n characters. */
static void nl_text_bytes(char *to, const uint8_t *a, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *to++ = ':';
        *to++ = digits[a[i] >> 4];
        *to++ = digits[a[i] & 15];
    }
}

/* The number of bytes of the next character. If it is malformed, valid is 0 and the number is that of its prefix. */
static size_t nl_utf8_next(const uint8_t *p, size_t size, int *valid)
{
    uint8_t lead = p[0], low = 0x80, high = 0xbf;
    size_t want;
    *valid = 1;
    if (lead < 0x80)
        return 1;
    want = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    *valid = 0;
    if (lead < 0xc2 || lead > 0xf4)
        return 1;
    if (lead == 0xe0)
        low = 0xa0; /* below: an overlong encoding */
    else if (lead == 0xed)
        high = 0x9f; /* above: a surrogate */
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f; /* above: beyond U+10FFFF */
    for (size_t i = 1; i < want; i++, low = 0x80, high = 0xbf)
        if (i == size || p[i] < low || p[i] > high)
            return i;
    *valid = 1;
    return want;
}

/* ---- builders ---- */

/* The dictionary of an NL_COL_TERM column: the declared names, then the numbers without a name in order of appearance.
 * All arrays of a stream share it: an index has one meaning. */
struct nl_terms {
    uint64_t *values;         /* by index */
    uint32_t *slots;          /* a hash table: index + 1 of the first value with this hash */
    uint32_t *next;           /* by index: index + 1 of the next value with the same hash */
    uint32_t count, capacity; /* slots has twice the capacity, a power of two */
};

struct nl_builder {
    const struct nl_column *column;
    int64_t length, nulls;
    int started;                        /* whether there was a value; if not, the areas are empty */
    size_t expected;                    /* rows, 0 if not known */
    struct nl_area bits, offsets, data; /* bits: also empty while no row is null */
    struct nl_builder *children;
    struct nl_terms terms;
};

/* Odd, and not known to those who send the values: then any two of them have the same hash by chance alone, with a
 * probability of at most 2 in the number of slots. */
static uint64_t nl_term_secret = UINT64_C(0x9e3779b97f4a7c15);

/* The slot of a value, which is the end of a chain if the value is new. */
static uint32_t *nl_term_slot(const struct nl_terms *terms, uint64_t value)
{
    uint32_t *slot = &terms->slots[(value * nl_term_secret) >> __builtin_clzll(2 * (uint64_t)terms->capacity - 1)];
    while (*slot && terms->values[*slot - 1] != value)
        slot = &terms->next[*slot - 1];
    return slot;
}

static int nl_terms_grow(struct nl_terms *terms)
{
    uint32_t capacity = terms->capacity ? terms->capacity * 2 : 16;
    if (capacity > (uint32_t)INT32_MAX / 2)
        return EOVERFLOW;
    uint64_t *values = (uint64_t *)realloc(terms->values, capacity * sizeof *values);
    if (!values)
        return ENOMEM;
    terms->values = values;
    uint32_t *next = (uint32_t *)realloc(terms->next, capacity * sizeof *next);
    if (!next)
        return ENOMEM;
    terms->next = next;
    uint32_t *slots = (uint32_t *)calloc(capacity, 2 * sizeof *slots);
    if (!slots)
        return ENOMEM;
    free(terms->slots);
    terms->slots = slots;
    terms->capacity = capacity;
    memset(next, 0, capacity * sizeof *next);
    for (uint32_t i = 0; i < terms->count; i++)
        *nl_term_slot(terms, values[i]) = i + 1;
    return 0;
}

/* The index of a value; a new value is added. Negative: an errno. */
static int64_t nl_term(struct nl_terms *terms, uint64_t value)
{
    uint32_t *slot = terms->capacity ? nl_term_slot(terms, value) : NULL;
    if (slot && *slot)
        return *slot - 1;
    if (!slot || terms->count == terms->capacity) {
        int result = nl_terms_grow(terms);
        if (result)
            return -result;
        slot = nl_term_slot(terms, value);
    }
    terms->values[terms->count] = value;
    *slot = ++terms->count;
    return *slot - 1;
}

/* Empties a builder, but not its terms. */
static void nl_builder_reset(struct nl_builder *b, size_t expected)
{
    nl_area_free(&b->bits);
    nl_area_free(&b->offsets);
    nl_area_free(&b->data);
    b->length = b->nulls = 0;
    b->started = 0;
    b->expected = expected;
    for (uint32_t i = 0; i < b->column->child_count; i++)
        nl_builder_reset(&b->children[i], b->column->kind == NL_COL_STRUCT ? expected : 0);
}

static void nl_builder_free(struct nl_builder *b)
{
    nl_area_free(&b->bits);
    nl_area_free(&b->offsets);
    nl_area_free(&b->data);
    if (b->children)
        for (uint32_t i = 0; i < b->column->child_count; i++)
            nl_builder_free(&b->children[i]);
    free(b->children);
    free(b->terms.values);
    free(b->terms.slots);
    free(b->terms.next);
    memset(b, 0, sizeof *b);
}

/* 0, or ENOMEM. The caller frees the builder in both cases. */
static int nl_builder_init(struct nl_builder *b, const struct nl_column *column)
{
    memset(b, 0, sizeof *b);
    b->column = column;
    for (uint32_t i = 0; i < column->term_count; i++)
        if (nl_term(&b->terms, column->term_values[i]) < 0)
            return ENOMEM;
    b->children = (struct nl_builder *)calloc(column->child_count + 1, sizeof *b->children);
    if (!b->children)
        return ENOMEM;
    for (uint32_t i = 0; i < column->child_count; i++)
        b->children[i].column = column->children[i];
    for (uint32_t i = 0; i < column->child_count; i++)
        if (nl_builder_init(&b->children[i], column->children[i]))
            return ENOMEM;
    return 0;
}

static int nl_has_offsets(const struct nl_column *c)
{
    return c->kind >= NL_COL_ADDRESS;
}

static int nl_has_items(const struct nl_column *c)
{
    return c->kind == NL_COL_LIST || c->kind == NL_COL_TEXTS || c->kind == NL_COL_PACKED;
}

/* Bytes of a value of fixed size, else 0. */
static size_t nl_value_size(const struct nl_column *c)
{
    switch (c->kind) {
    case NL_COL_FIXED:
        return c->width;
    case NL_COL_TERM:
        return sizeof(int32_t);
    case NL_COL_MAPPED:
        return 16;
    default:
        return 0;
    }
}

static int nl_zeros_put(struct nl_area *area, size_t size)
{
    if (nl_area_reserve(area, size) < 0)
        return ENOMEM;
    if (size)
        memset(area->data + area->size, 0, size);
    area->size += size;
    return 0;
}

/* Starts a column at its first value: adds the nulls before it. */
static int nl_builder_start(struct nl_builder *b)
{
    size_t before = (size_t)b->length, size = nl_value_size(b->column);
    size_t rows = b->expected > before ? b->expected : before;
    b->started = 1;
    if (nl_area_reserve(&b->data, rows * size) < 0 || nl_zeros_put(&b->data, before * size) ||
        nl_zeros_put(&b->bits, (before + 7) / 8))
        return ENOMEM;
    if (!nl_has_offsets(b->column))
        return 0;
    if (nl_area_reserve(&b->offsets, (rows + 1) * sizeof(int32_t)) < 0)
        return ENOMEM;
    return nl_zeros_put(&b->offsets, (before + 1) * sizeof(int32_t));
}

/* Appends the presence of n values, of which count are not NULL. */
static int nl_put_bits(struct nl_builder *b, const uint8_t *const *at, size_t n, size_t count)
{
    size_t before = (size_t)b->length, bytes = (before + 7) / 8;
    int always = b->column->kind == NL_COL_TRUE; /* the same bits are its values */
    if (count == n && !b->bits.size && !always)
        return 0;
    if (!b->bits.size && before) {
        if (nl_zeros_put(&b->bits, bytes))
            return ENOMEM;
        memset(b->bits.data, 0xff, bytes);
        if (before & 7)
            b->bits.data[bytes - 1] = (uint8_t)(0xff >> (8 - (before & 7)));
    }
    if (nl_zeros_put(&b->bits, (before + n + 7) / 8 - bytes))
        return ENOMEM;
    for (size_t i = 0; i < n; i++)
        b->bits.data[(before + i) >> 3] |= (uint8_t)((at[i] != NULL) << ((before + i) & 7));
    return 0;
}

static int nl_put_bytes(struct nl_area *data, const uint8_t *bytes, size_t size)
{
    if (size > INT32_MAX - data->size)
        return EOVERFLOW;
    return nl_put(data, bytes, size) < 0 ? ENOMEM : 0;
}

static int nl_put_lladdr(struct nl_area *data, const uint8_t *bytes, size_t size)
{
    char text[3 * 16];
    int result = 0;
    for (size_t at = 0, n; at < size && !result; at += n) {
        n = size - at < 16 ? size - at : 16;
        nl_text_bytes(text, bytes + at, n);
        result = nl_put_bytes(data, (const uint8_t *)text + !at, 3 * n - !at); /* no colon before the first */
    }
    return result;
}

static int nl_put_text(struct nl_area *data, const uint8_t *text, size_t size)
{
    size_t run = 0;
    while (run < size) {
        int valid;
        size_t next = nl_utf8_next(text + run, size - run, &valid);
        if (valid) {
            run += next;
            continue;
        }
        int result = nl_put_bytes(data, text, run);
        if (!result)
            result = nl_put_bytes(data, (const uint8_t *)"\xef\xbf\xbd", 3); /* U+FFFD */
        if (result)
            return result;
        text += run + next;
        size -= run + next;
        run = 0;
    }
    return nl_put_bytes(data, text, size);
}

/* Follows the hops of a column from each row. A row without such a record becomes NULL. */
static void nl_follow(const struct nl_column *c, const uint8_t *const *rows, size_t n, const struct nl_bytes *bytes,
                      const uint8_t **to)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *row = rows[i];
        for (uint32_t h = 0; h < c->hop_count && row; h++) {
            struct nl_sub sub;
            if (c->hops[h].which == NL_HOP_RARE) {
                sub.record = nl_load32(row + c->hops[h].offset);
            } else {
                memcpy(&sub, row + c->hops[h].offset, sizeof sub);
                if (sub.which != c->hops[h].which)
                    sub.record = 0;
            }
            row = sub.record ? bytes->heap + sub.record : NULL;
        }
        to[i] = row;
    }
}

static int nl_gather(struct nl_builder *b, const uint8_t *const *rows, size_t n, const struct nl_bytes *bytes);
static int nl_gather_terms(struct nl_builder *b, const uint8_t *const *at, size_t n);

/* Appends the items of one list. */
static int nl_gather_list(struct nl_builder *child, const uint8_t *at, const struct nl_bytes *bytes)
{
    const uint8_t *items[NL_BLOCK];
    size_t n = 0;
    struct nl_list list;
    memcpy(&list, at, sizeof list);
    for (uint32_t entry = list.first; entry; entry = nl_load32(bytes->heap + entry)) {
        items[n++] = bytes->heap + entry + 4;
        if (n == NL_BLOCK) {
            int result = nl_gather(child, items, n, bytes);
            if (result)
                return result;
            n = 0;
        }
    }
    return n ? nl_gather(child, items, n, bytes) : 0;
}

/* A text of many, as a record. */
struct nl_one_text {
    struct nl_ref text;
    uint8_t present;
};

static int nl_gather_texts(struct nl_builder *child, const struct nl_ref *ref, const struct nl_bytes *bytes)
{
    uint32_t at = ref->offset, end = at + ref->size;
    int result = 0;
    while (at < end && !result) {
        const uint8_t *from = bytes->heap + at, *stop = (const uint8_t *)memchr(from, 0, end - at);
        struct nl_one_text one = {{at, stop ? (uint32_t)(stop - from) : end - at}, 1};
        const uint8_t *row = (const uint8_t *)&one;
        result = nl_gather(child, &row, 1, bytes);
        at += one.text.size + 1;
    }
    return result;
}

static int nl_gather_packed(struct nl_builder *child, const struct nl_ref *ref, const struct nl_bytes *bytes)
{
    if (!ref->size)
        return 0;
    if (!child->started && nl_builder_start(child))
        return ENOMEM;
    if (child->column->kind == NL_COL_TERM) {
        const uint8_t *at[NL_BLOCK];
        size_t n = 0;
        for (uint32_t i = 0; i < ref->size; i += child->column->width) {
            at[n++] = bytes->heap + ref->offset + i;
            if (n < NL_BLOCK && i + child->column->width < ref->size)
                continue;
            int result = nl_gather_terms(child, at, n);
            if (result)
                return result;
            n = 0;
        }
    } else if (nl_put(&child->data, bytes->heap + ref->offset, ref->size) < 0) {
        return ENOMEM;
    }
    child->length += ref->size / child->column->width;
    return 0;
}

/* Appends one value of a column with offsets. */
static int nl_put_value(struct nl_builder *b, const uint8_t *at, const struct nl_bytes *bytes)
{
    char text[NL_ADDRESS_TEXT];
    struct nl_ref ref;
    switch (b->column->kind) {
    case NL_COL_PART: {
        char *end = at[16] == 4 ? nl_text_v4(text, at + 12) : nl_text_v6(text, at);
        return nl_put_bytes(&b->data, (const uint8_t *)text, (size_t)(end - text));
    }
    case NL_COL_ADDRESS: {
        unsigned count;
        const uint8_t *address = nl_address_bytes(at, b->column->width, bytes->heap, &count);
        char *end = count == 4 ? nl_text_v4(text, address) : nl_text_v6(text, address);
        return nl_put_bytes(&b->data, (const uint8_t *)text, (size_t)(end - text));
    }
    case NL_COL_MAC:
        return nl_put_lladdr(&b->data, at, 6);
    case NL_COL_LIST:
        return nl_gather_list(&b->children[0], at, bytes);
    case NL_COL_RECORD: {
        int result = (b->column->flags ? nl_encode : nl_encode_set)(b->column->set, at, bytes, &b->data);
        return result == -E2BIG ? E2BIG : result < 0 ? ENOMEM : 0;
    }
    }
    memcpy(&ref, at, sizeof ref); /* an nl_sub begins with an nl_ref */
    if (!ref.size)
        return 0;
    switch (b->column->kind) {
    case NL_COL_TEXTS:
        return nl_gather_texts(&b->children[0], &ref, bytes);
    case NL_COL_PACKED:
        return nl_gather_packed(&b->children[0], &ref, bytes);
    case NL_COL_TEXT:
        return nl_put_text(&b->data, bytes->heap + ref.offset, ref.size);
    case NL_COL_LLADDR:
        return nl_put_lladdr(&b->data, bytes->heap + ref.offset, ref.size);
    case NL_COL_VIEW:
        return nl_put_bytes(&b->data, bytes->datagrams + ref.offset, ref.size);
    default:
        return nl_put_bytes(&b->data, bytes->heap + ref.offset, ref.size);
    }
}

/* The column's value in each record, or NULL if it is absent. at: as many. The number of values. */
static size_t nl_locate(const struct nl_column *c, const uint8_t *const *rows, size_t n, const struct nl_bytes *bytes,
                        const uint8_t **at)
{
    size_t count = 0;
    if (c->hop_count) {
        nl_follow(c, rows, n, bytes, at);
        rows = at;
    }
    for (size_t i = 0; i < n; i++) {
        if (c->kind == NL_COL_RECORD)
            at[i] = rows[i];
        else
            at[i] = rows[i] && rows[i][c->presence] & c->mask ? rows[i] + c->offset : NULL;
        if (at[i] && c->kind == NL_COL_RAW) {
            struct nl_sub sub;
            memcpy(&sub, at[i], sizeof sub);
            if (sub.record)
                at[i] = NULL;
        }
        count += at[i] != NULL;
    }
    return count;
}

#define NL_COPY(type)                                                                                                  \
    for (size_t i = 0; i < n; i++, to += stride) {                                                                     \
        type value = 0;                                                                                                \
        if (at[i])                                                                                                     \
            memcpy(&value, at[i], sizeof value);                                                                       \
        memcpy(to, &value, sizeof value);                                                                              \
    }                                                                                                                  \
    break

/* Copies values of `width` bytes to places `stride` bytes apart; zeros if a value is absent. */
static void nl_copy_values(const uint8_t *const *at, size_t n, uint32_t width, uint8_t *to, size_t stride)
{
    switch (width) {
    case 1:
        NL_COPY(uint8_t);
    case 2:
        NL_COPY(uint16_t);
    case 4:
        NL_COPY(uint32_t);
    case 8:
        NL_COPY(uint64_t);
    default:
        for (size_t i = 0; i < n; i++, to += stride) {
            memset(to, 0, width);
            if (at[i])
                memcpy(to, at[i], width);
        }
    }
}

/* As nl_copy_values, for addresses of `size` bytes: they become 16. */
static void nl_copy_mapped(const uint8_t *const *at, size_t n, uint32_t size, const struct nl_bytes *bytes, uint8_t *to,
                           size_t stride)
{
    for (size_t i = 0; i < n; i++, to += stride) {
        memset(to, 0, 16);
        if (at[i]) {
            unsigned count;
            const uint8_t *address = nl_address_bytes(at[i], size, bytes->heap, &count);
            if (count == 4)
                memcpy(to, nl_mapped, sizeof nl_mapped);
            memcpy(to + 16 - count, address, count);
        }
    }
}

static int nl_gather_fixed(struct nl_builder *b, const uint8_t *const *at, size_t n, const struct nl_bytes *bytes)
{
    const struct nl_column *c = b->column;
    size_t size = nl_value_size(c);
    if (nl_area_reserve(&b->data, n * size) < 0)
        return ENOMEM;
    uint8_t *to = b->data.data + b->data.size;
    if (c->kind == NL_COL_MAPPED)
        nl_copy_mapped(at, n, c->width, bytes, to, size);
    else
        nl_copy_values(at, n, c->width, to, size);
    b->data.size += n * size;
    return 0;
}

static int nl_gather_terms(struct nl_builder *b, const uint8_t *const *at, size_t n)
{
    const struct nl_column *c = b->column;
    if (nl_area_reserve(&b->data, n * sizeof(int32_t)) < 0)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int64_t index = 0;
        if (at[i])
            index = nl_term(&b->terms, nl_load_int(at[i], c->width, c->flags & NL_SIGNED));
        if (index < 0)
            return (int)-index;
        int32_t number = (int32_t)index;
        memcpy(b->data.data + b->data.size, &number, sizeof number);
        b->data.size += sizeof number;
    }
    return 0;
}

static int nl_gather_values(struct nl_builder *b, const uint8_t *const *at, size_t n, const struct nl_bytes *bytes)
{
    const struct nl_column *c = b->column;
    int lists = nl_has_items(c);
    if (nl_area_reserve(&b->offsets, n * sizeof(int32_t)) < 0)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int result = at[i] ? nl_put_value(b, at[i], bytes) : 0;
        if (result)
            return result;
        size_t end = lists ? (size_t)b->children[0].length : b->data.size;
        if (end > INT32_MAX)
            return EOVERFLOW;
        int32_t offset = (int32_t)end;
        memcpy(b->offsets.data + b->offsets.size, &offset, sizeof offset);
        b->offsets.size += sizeof offset;
    }
    return 0;
}

/* Gathers a column's values in up to NL_BLOCK records; a NULL row is an absent record. 0, ENOMEM, EOVERFLOW if an
 * array would need offsets above INT32_MAX, or E2BIG if an attribute of an encoded record is too long. */
static int nl_gather(struct nl_builder *b, const uint8_t *const *rows, size_t n, const struct nl_bytes *bytes)
{
    const struct nl_column *c = b->column;
    const uint8_t *at[NL_BLOCK];
    int result = 0;
    if (c->kind == NL_COL_STRUCT) {
        for (uint32_t i = 0; i < c->child_count && !result; i++)
            result = nl_gather(&b->children[i], rows, n, bytes);
        b->length += (int64_t)n;
        return result;
    }
    size_t count = nl_locate(c, rows, n, bytes, at);
    if (count && !b->started)
        result = nl_builder_start(b);
    if (b->started && !result)
        result = nl_put_bits(b, at, n, count);
    if (b->started && !result) {
        if (c->kind == NL_COL_FIXED || c->kind == NL_COL_MAPPED)
            result = nl_gather_fixed(b, at, n, bytes);
        else if (c->kind == NL_COL_TERM)
            result = nl_gather_terms(b, at, n);
        else if (nl_has_offsets(c))
            result = nl_gather_values(b, at, n, bytes);
    }
    b->length += (int64_t)n;
    b->nulls += (int64_t)(n - count);
    return result;
}

/* ---- headers of packets ---- */

/* The value of a column in a row, or NULL. */
static const uint8_t *nl_value_at(const struct nl_column *c, const uint8_t *row, const struct nl_bytes *bytes)
{
    if (!c)
        return NULL;
    nl_follow(c, &row, 1, bytes, &row);
    return row && row[c->presence] & c->mask ? row + c->offset : NULL;
}

/* The integer of a column in a row, or 0. */
static unsigned nl_number_at(const struct nl_column *c, const uint8_t *row, const struct nl_bytes *bytes)
{
    const uint8_t *at = nl_value_at(c, row, bytes);
    return at ? (unsigned)nl_load_int(at, c->width, 0) : 0;
}

/* Parses the packet of a row. */
static void nl_parse_row(const struct nl_source *source, const uint8_t *row, const struct nl_bytes *bytes,
                         struct nl_headers *h)
{
    const uint8_t *at = nl_value_at(source->payload, row, bytes);
    unsigned family = nl_number_at(source->family, row, bytes), protocol = nl_number_at(source->protocol, row, bytes);
    struct nl_ref payload = {0}, link = {0};
    if (at)
        memcpy(&payload, at, sizeof payload);
    if (family == NL_FAMILY_IPV4) {
        protocol = NL_ETH_IPV4;
    } else if (family == NL_FAMILY_IPV6) {
        protocol = NL_ETH_IPV6;
    } else if (family == NL_FAMILY_NETDEV && nl_number_at(source->hook, row, bytes) == NL_HOOK_EGRESS) {
        /* The payload begins with the link-layer header, tags included. */
        if ((at = nl_value_at(source->link, row, bytes)))
            memcpy(&link, at, sizeof link);
        if (protocol == NL_ETH_VLAN || protocol == NL_ETH_QINQ)
            protocol = link.size < 2 ? 0 : nl_be16_at(bytes->heap + link.offset + link.size - 2);
        if (!protocol || !link.size || link.size > payload.size)
            payload.size = 0;
    }
    if (payload.size && source->framed)
        nl_parse_frame(h, protocol, bytes->datagrams + payload.offset, payload.size);
    else if (payload.size)
        nl_parse_packet(h, protocol, bytes->datagrams + payload.offset + link.size, payload.size - link.size);
    else
        memset(h->present, 0, sizeof h->present);
}

/* The parsed packets of a block of rows. */
struct nl_parsed {
    struct nl_headers headers[NL_BLOCK];
    const uint8_t *rows[NL_BLOCK];
};

static void nl_parse_rows(const struct nl_source *source, const uint8_t *const *rows, size_t n,
                          const struct nl_bytes *bytes, struct nl_parsed *to)
{
    for (size_t i = 0; i < n; i++) {
        nl_parse_row(source, rows[i], bytes, &to->headers[i]);
        to->rows[i] = (const uint8_t *)&to->headers[i];
    }
}

/* Gathers the rows of one block in all columns of an array. Their packets are parsed once. */
static int nl_gather_parsed(struct nl_builder *b, const uint8_t *const *rows, size_t n, const struct nl_bytes *bytes)
{
    struct nl_parsed parsed;
    int result = 0;
    nl_parse_rows(b->column->source, rows, n, bytes, &parsed);
    if (b->column->kind != NL_COL_STRUCT)
        return nl_gather(b, parsed.rows, n, bytes);
    for (uint32_t i = 0; i < b->column->child_count && !result; i++)
        result = nl_gather(&b->children[i], b->children[i].column->source ? parsed.rows : rows, n, bytes);
    b->length += (int64_t)n;
    return result;
}

/* ---- arrays ---- */

/* The zeros that all columns without a value share as buffers. */
struct nl_zeros {
    atomic_size_t users;
    uint8_t *data;
};

static void nl_zeros_drop(struct nl_zeros *zeros)
{
    if (atomic_fetch_sub(&zeros->users, 1) == 1) {
        free(zeros->data);
        free(zeros);
    }
}

static size_t nl_zeros_needed(const struct nl_builder *b)
{
    size_t need = 0, rows = (size_t)b->length;
    if (!b->started && b->column->kind != NL_COL_STRUCT) {
        size_t size = nl_has_offsets(b->column) ? sizeof(int32_t) : nl_value_size(b->column);
        need = (rows + 1) * (size ? size : 1);
    }
    for (uint32_t i = 0; i < b->column->child_count; i++) {
        size_t inner = nl_zeros_needed(&b->children[i]);
        need = inner > need ? inner : need;
    }
    return need;
}

static struct nl_zeros *nl_zeros_new(size_t size)
{
    struct nl_zeros *zeros = (struct nl_zeros *)malloc(sizeof *zeros);
    if (!zeros)
        return NULL;
    zeros->data = (uint8_t *)calloc(size + 8, 1);
    if (!zeros->data) {
        free(zeros);
        return NULL;
    }
    atomic_init(&zeros->users, 1);
    return zeros;
}

struct nl_array_holder {
    struct nl_area areas[3];
    struct nl_zeros *zeros;
    const void *buffers[3];
    struct ArrowArray dictionary;
    struct ArrowArray *parts;
    struct ArrowArray **children;
};

static void nl_array_release(struct ArrowArray *a)
{
    struct nl_array_holder *holder = (struct nl_array_holder *)a->private_data;
    /* A part that the consumer has moved elsewhere is marked as released here. */
    for (int64_t i = 0; i < a->n_children; i++)
        if (holder->parts[i].release)
            holder->parts[i].release(&holder->parts[i]);
    if (holder->dictionary.release)
        holder->dictionary.release(&holder->dictionary);
    for (int i = 0; i < 3; i++)
        nl_area_free(&holder->areas[i]);
    if (holder->zeros)
        nl_zeros_drop(holder->zeros);
    free(holder->parts);
    free(holder->children);
    free(holder);
    a->release = NULL;
}

static int nl_array_make(struct ArrowArray *out, size_t children, struct nl_zeros *zeros)
{
    struct nl_array_holder *holder = (struct nl_array_holder *)calloc(1, sizeof *holder);
    memset(out, 0, sizeof *out);
    if (!holder)
        return ENOMEM;
    out->private_data = holder;
    out->release = nl_array_release;
    out->buffers = holder->buffers;
    holder->parts = (struct ArrowArray *)calloc(children + 1, sizeof *holder->parts);
    holder->children = (struct ArrowArray **)calloc(children + 1, sizeof *holder->children);
    if (!holder->parts || !holder->children) {
        nl_array_release(out);
        return ENOMEM;
    }
    for (size_t i = 0; i < children; i++)
        holder->children[i] = &holder->parts[i];
    out->children = holder->children;
    out->n_children = (int64_t)children;
    if (zeros) {
        atomic_fetch_add(&zeros->users, 1);
        holder->zeros = zeros;
    }
    return 0;
}

static void nl_hand_over(struct nl_array_holder *holder, int which, struct nl_area *area)
{
    static const uint64_t nothing; /* the address of a buffer without bytes */
    nl_area_trim(area);
    holder->areas[which] = *area;
    holder->buffers[which] = area->data ? area->data : (const uint8_t *)&nothing;
    memset(area, 0, sizeof *area);
}

static int nl_export_terms(const struct nl_builder *b, struct ArrowArray *out)
{
    const struct nl_column *c = b->column;
    struct nl_area offsets = {0}, data = {0};
    int result = nl_array_make(out, 0, NULL);
    if (result)
        return result;
    result = nl_zeros_put(&offsets, sizeof(int32_t));
    for (uint32_t i = 0; i < b->terms.count && !result; i++) {
        char number[24];
        const char *text = number;
        if (i < c->term_count)
            text = c->term_names[i];
        else if (c->flags & NL_SIGNED)
            snprintf(number, sizeof number, "%lld", (long long)b->terms.values[i]);
        else
            snprintf(number, sizeof number, "%llu", (unsigned long long)b->terms.values[i]);
        result = nl_put_bytes(&data, (const uint8_t *)text, strlen(text));
        int32_t offset = (int32_t)data.size;
        if (!result && nl_put(&offsets, &offset, sizeof offset) < 0)
            result = ENOMEM;
    }
    struct nl_array_holder *holder = (struct nl_array_holder *)out->private_data;
    nl_hand_over(holder, 1, &offsets);
    nl_hand_over(holder, 2, &data);
    out->length = b->terms.count;
    out->n_buffers = 3;
    if (result)
        nl_array_release(out);
    return result;
}

/* Moves the gathered values from a builder to an array. 0, or an errno and nothing to release. */
static int nl_export(struct nl_builder *b, struct nl_zeros *zeros, struct ArrowArray *out)
{
    const struct nl_column *c = b->column;
    int offsets = nl_has_offsets(c), lists = nl_has_items(c);
    int result = nl_array_make(out, c->child_count, zeros);
    if (result)
        return result;
    struct nl_array_holder *holder = (struct nl_array_holder *)out->private_data;
    out->length = b->length;
    out->null_count = b->nulls;
    out->n_buffers = c->kind == NL_COL_STRUCT ? 1 : offsets && !lists ? 3 : 2;
    if (b->started) {
        nl_hand_over(holder, 0, &b->bits);
        if (c->kind == NL_COL_TRUE)
            holder->buffers[1] = holder->buffers[0];
        else
            nl_hand_over(holder, 1, offsets ? &b->offsets : &b->data);
        if (offsets)
            nl_hand_over(holder, 2, &b->data);
    } else {
        holder->buffers[0] = holder->buffers[1] = holder->buffers[2] = zeros->data;
    }
    if (!b->nulls)
        holder->buffers[0] = NULL;
    for (uint32_t i = 0; i < c->child_count && !result; i++)
        result = nl_export(&b->children[i], zeros, out->children[i]);
    if (!result && c->kind == NL_COL_TERM) {
        out->dictionary = &holder->dictionary;
        result = nl_export_terms(b, out->dictionary);
    }
    if (result)
        nl_array_release(out);
    return result;
}

/* The records of a batch: `count` of them, stride bytes apart. */
struct nl_rows {
    const uint8_t *first;
    ptrdiff_t stride;
    size_t count;
    struct nl_bytes bytes;
};

static void nl_take_rows(const struct nl_rows *source, size_t at, size_t n, const uint8_t **rows)
{
    for (size_t i = 0; i < n; i++)
        rows[i] = source->first + (ptrdiff_t)(at + i) * source->stride;
}

/* Gathers n rows from row `at` on. 0, or ENOMEM or EOVERFLOW. */
static int nl_gather_rows(struct nl_builder *b, const struct nl_rows *source, size_t at, size_t n)
{
    const uint8_t *rows[NL_BLOCK];
    int result = 0;
    for (size_t done = 0; done < n && !result;) {
        size_t block = n - done < NL_BLOCK ? n - done : NL_BLOCK;
        nl_take_rows(source, at + done, block, rows);
        result = b->column->source ? nl_gather_parsed(b, rows, block, &source->bytes)
                                   : nl_gather(b, rows, block, &source->bytes);
        done += block;
    }
    return result;
}

/* Exports the gathered rows as one array. 0, or ENOMEM or EOVERFLOW and nothing to release. */
static int nl_export_gathered(struct nl_builder *b, struct ArrowArray *out)
{
    struct nl_zeros *zeros = nl_zeros_new(nl_zeros_needed(b));
    if (!zeros)
        return ENOMEM;
    int result = nl_export(b, zeros, out);
    nl_zeros_drop(zeros);
    return result;
}

/* Exports n rows from row `at` on as one array. 0, or ENOMEM or EOVERFLOW and nothing to release. */
static inline int nl_export_rows(struct nl_builder *b, const struct nl_rows *source, size_t at, size_t n,
                                 struct ArrowArray *out)
{
    nl_builder_reset(b, n);
    int result = nl_gather_rows(b, source, at, n);
    if (!result)
        result = nl_export_gathered(b, out);
    nl_builder_reset(b, 0);
    return result;
}

/* ---- NumPy ---- */

/* A column for NumPy: its values have a fixed size. */
struct nl_member {
    const struct nl_column *column;
    size_t offset; /* in an item of the array */
};

/* Copies the values of columns to the items of an array, which have `stride` bytes; zeros if a value is absent.
 * packet: where the packets of columns that need one are, or NULL. */
static void nl_spread(const struct nl_member *members, size_t count, const struct nl_source *packet,
                      const struct nl_rows *source, uint8_t *to, size_t stride)
{
    const uint8_t *rows[NL_BLOCK], *at[NL_BLOCK];
    struct nl_parsed parsed;
    for (size_t done = 0; done < source->count;) {
        size_t block = source->count - done < NL_BLOCK ? source->count - done : NL_BLOCK;
        nl_take_rows(source, done, block, rows);
        if (packet)
            nl_parse_rows(packet, rows, block, &source->bytes, &parsed);
        for (size_t m = 0; m < count; m++) {
            const struct nl_column *c = members[m].column;
            uint8_t *first = to + members[m].offset;
            nl_locate(c, c->source ? parsed.rows : rows, block, &source->bytes, at);
            if (c->kind == NL_COL_MAPPED || c->kind == NL_COL_ADDRESS)
                nl_copy_mapped(at, block, c->width, &source->bytes, first, stride);
            else if (c->kind == NL_COL_TRUE)
                for (size_t i = 0; i < block; i++)
                    first[i * stride] = at[i] != NULL;
            else
                nl_copy_values(at, block, c->width, first, stride);
        }
        to += block * stride;
        done += block;
    }
}

/* ---- stream ---- */

struct nl_array_stream {
    struct nl_builder builder;
    struct nl_rows source;
    size_t at;
    const char *error;
    void (*drop)(void *); /* releases the owner of records and columns */
    void *owner;
};

static int nl_array_stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    struct nl_array_stream *stream = (struct nl_array_stream *)s->private_data;
    int result = nl_schema_export(stream->builder.column, out);
    stream->error = result ? "no memory for the schema" : NULL;
    return result;
}

static int nl_array_stream_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    struct nl_array_stream *stream = (struct nl_array_stream *)s->private_data;
    size_t left = stream->source.count - stream->at, n = left < NL_CHUNK ? left : NL_CHUNK;
    int result;
    stream->error = NULL;
    memset(out, 0, sizeof *out); /* the end of the stream, if no row is left */
    if (!n)
        return 0;
    while ((result = nl_export_rows(&stream->builder, &stream->source, stream->at, n, out)) == EOVERFLOW && n > 1)
        n /= 2;
    if (!result) {
        stream->at += n;
        return 0;
    }
    memset(out, 0, sizeof *out);
    stream->error = result == EOVERFLOW ? "a record has more than 2 GiB in one field"
                    : result == E2BIG   ? "an attribute of a record is longer than 65531 bytes"
                                        : "no memory for the columns";
    return result;
}

static const char *nl_array_stream_error(struct ArrowArrayStream *s)
{
    return ((struct nl_array_stream *)s->private_data)->error;
}

static void nl_array_stream_release(struct ArrowArrayStream *s)
{
    struct nl_array_stream *stream = (struct nl_array_stream *)s->private_data;
    nl_builder_free(&stream->builder);
    stream->drop(stream->owner);
    free(stream);
    s->release = NULL;
}

/* 0, or ENOMEM. The stream drops owner when it is released, and not if this fails. */
static inline int nl_array_stream_init(struct ArrowArrayStream *s, const struct nl_column *column,
                                       const struct nl_rows *source, void (*drop)(void *), void *owner)
{
    struct nl_array_stream *stream = (struct nl_array_stream *)calloc(1, sizeof *stream);
    memset(s, 0, sizeof *s);
    if (!stream)
        return ENOMEM;
    if (nl_builder_init(&stream->builder, column)) {
        nl_builder_free(&stream->builder);
        free(stream);
        return ENOMEM;
    }
    stream->source = *source;
    stream->drop = drop;
    stream->owner = owner;
    s->get_schema = nl_array_stream_schema;
    s->get_next = nl_array_stream_next;
    s->get_last_error = nl_array_stream_error;
    s->release = nl_array_stream_release;
    s->private_data = stream;
    return 0;
}

#endif
