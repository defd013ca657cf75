/* The table that a declaration compiles to, and its two interpreters: decode
 * makes a record of fixed layout from a payload, encode makes the payload again.
 *
 * Words: an nl_set is the table of one declaration, and an nl_op is its entry
 * for one field (or container). Table of _engine/record.pyx owns an nl_set. The
 * compiler in _engine/compile.py fills it.
 *
 * Plain C without Python, as _wire.h. A record has values in host byte order at
 * fixed offsets, and a presence bit for each field. Values without a fixed size
 * lie in a heap beside the records. Records refer to them by offset: records and
 * heap may both move while they grow. The first bytes of a heap are never used:
 * offset 0 means none. The bytes of a view stay in the received datagram; the
 * datagrams lie side by side in a third area.
 *
 * A set may lead to itself, through records in the heap. These are nested no
 * deeper than NL_DEPTH_MAX in each other, for any input, so that recursion over
 * records ends. Without such records sets form a tree.
 */
#ifndef NETLINK_PLAN_H
#define NETLINK_PLAN_H

#include "area.h"
#include "../_wire.h"

enum nl_kind {
    NL_K_INT,        /* width bytes; 1, 2, 4 or 8 if width is 0; stored in size bytes */
    NL_K_FLAG,       /* no payload; stored as a byte that is 1 */
    NL_K_STRING,     /* any bytes, trailing NULs removed; stored as nl_ref */
    NL_K_BINARY,     /* any bytes; stored as nl_ref */
    NL_K_FIXED,      /* size bytes, stored unchanged */
    NL_K_ADDRESS,    /* 4 or 16 bytes (width 0: either); stored in size bytes: see nl_address_bytes */
    NL_K_ADDRESS_BY, /* 16 bytes, an address whose family the sibling tells; stored as by nl_store_whole_address */
    NL_K_SOCKADDR,   /* struct sockaddr_in or sockaddr_in6; stored as nl_socket_address */
    NL_K_NESTED,     /* attributes of set; the nested record lies inside this one */
    NL_K_CONTAINER,  /* attributes of set, which are fields of this record itself */
    NL_K_RARE,       /* attributes of set; the nested record lies in the heap, stored as its offset */
    NL_K_STRUCT,     /* fields of set at fixed offsets; the nested record lies inside this one */
    NL_K_REPEATED,   /* one item per attribute of this type; stored as nl_list */
    NL_K_ARRAY,      /* attributes of any type, each an item; stored as nl_list */
    NL_K_STRUCTS,    /* structs side by side, each an item, behind their number if it has a width; stored as nl_list */
    NL_K_SEQUENCE,   /* attributes of item's set, each a record of its own; stored as nl_list */
    NL_K_CHAIN,      /* records of item's set side by side; their headers begin with their lengths; stored as nl_list */
    NL_K_PACKED,     /* integers of width bytes side by side; stored as nl_ref to them in host order */
    NL_K_SUBMESSAGE, /* the payload of a set, which the value of a sibling field chooses; stored as nl_sub */
    NL_K_VIEW,       /* any bytes; stored as nl_ref into the datagrams instead of the heap */
    NL_K_REST,       /* no attribute: all bytes behind the header; stored as nl_ref */
    NL_K_EVENT,      /* no attribute: derived from the message's type and flags; stored as a byte */
    NL_K_KEY,        /* no attribute: the type of the attribute that the record was in an array; stored in 2 bytes */
    NL_K_ANNEX,      /* the field of item, which lies in the annex: offset is that of the reference to it, in 4 bytes */
    NL_K_SKIP,       /* no field: any bytes, which are ignored */
    NL_KINDS,
};

enum { NL_BIG = 1, NL_SIGNED = 2 };

/* The decoder's branch for an op: one for each common kind. nl_op_finish sets it. */
enum nl_code {
    NL_C_OTHER, /* all other kinds */
    NL_C_APART, /* those that leave more in the heap than bytes, of which the last counts: see nl_is_apart */
    NL_C_LATE,  /* those that fields beside them decide about: decoded behind these */
    NL_C_8,
    NL_C_16,
    NL_C_32,
    NL_C_64,
    NL_C_SWAP16,
    NL_C_SWAP32,
    NL_C_SWAP64,
    NL_C_128,
    NL_C_ADDRESS4,
    NL_C_ADDRESS6,
    NL_C_STRUCT,
    NL_C_NESTED,
    NL_C_CONTAINER,
};

#define NL_NO_FIELD UINT16_MAX

struct nl_set;

struct nl_case {
    uint64_t number;  /* value of an integer sibling */
    const char *text; /* value of a string sibling, else NULL */
    size_t text_size;
    const struct nl_set *set;
};

struct nl_op {
    uint8_t code;
    uint8_t kind;
    uint8_t width;
    uint8_t flags;
    uint16_t type;   /* attribute type */
    uint16_t bit;    /* number of the presence bit */
    uint32_t offset; /* in the record */
    uint32_t size;   /* bytes in the record */
    uint32_t at;     /* a struct's field: its offset in the struct. If family is set: offset of an address's family */
    uint8_t family;  /* 4 or 6: encoded only if that address has this family; else 0 */
    uint8_t depth;   /* an array: levels of attributes that only number, the items included */
    const struct nl_set *set;
    const struct nl_op *item;
    const struct nl_op *sibling; /* a submessage: the field that chooses the case; NULL: it has the type `by`.
                                    NL_K_ADDRESS_BY: its family */
    const struct nl_case *cases;
    uint16_t case_count;
    uint16_t by;       /* attribute type of the field that chooses, in the set around */
    uint8_t outer;     /* whether the field that chooses is in the set around */
    uint8_t in_header; /* whether it is in the header before the attributes */
};

enum { NL_KEYS_MAX = 4 };

struct nl_set {
    const struct nl_op *const *index; /* by attribute type, NULL: unknown */
    uint16_t limit;                   /* length of index */
    uint16_t op_count;
    const struct nl_op *ops;    /* in the order of declaration */
    const struct nl_op *header; /* NULL, or the struct before the attributes */
    const struct nl_op *rest;   /* NULL, or the field of all bytes behind the header, which are no attributes */
    const struct nl_op *annex;  /* NULL, or the reference to the record in the heap with the fields that few records
                                   have: as NL_K_RARE, but without an attribute and a presence bit. 0: no such record */
    uint32_t wire_size;         /* bytes of a struct on the wire; 0 for attributes */
    uint32_t record_size;       /* bytes; an outermost record has 4 more, the head of the nl_unknown list */
    uint32_t presence;          /* offset of the presence bits */
    uint8_t asks;               /* whether fields of the set around choose the case of a submessage */
    const struct nl_op *keys[NL_KEYS_MAX]; /* NL_K_KEY by level of an array, the outermost first; NULL: none */
    uint8_t lenient;                       /* attributes of another width than declared are unknown ones */
    uint8_t narrow;                        /* unknown attributes are ignored */
    uint16_t same; /* of a struct: how many of its first fields lie in the record as on the wire: see nl_set_finish */
};

struct nl_ref {
    uint32_t offset, size;
};

/* Bytes of an address that may have either family: an IPv4 address or the offset of an IPv6 one in the heap, then 4
 * or 6. An address of one family is stored as it is. */
enum { NL_ADDRESS = 5 };

/* An address stored as a whole: 16 bytes, an IPv4 address as ::ffff:a.b.c.d, then 4 or 6. As those of packet.h. */
enum { NL_WHOLE_ADDRESS = 17 };

/* Not aligned. */
struct __attribute__((packed)) nl_socket_address {
    uint8_t address[NL_WHOLE_ADDRESS];
    uint16_t port;
    uint32_t flow_info, scope_id;
};

struct nl_list {
    uint32_t first, last; /* entries in the heap: the offset of the next entry, then the item */
};

struct nl_sub {
    uint32_t raw, raw_size; /* the payload in the heap, if no case fits */
    uint32_t record;        /* in the heap; 0 if no case fits */
    uint32_t which;         /* index of the case */
};

/* An attribute of a type that is not declared: a heap entry. Its payload follows. */
struct nl_unknown {
    uint32_t next;
    uint32_t owner; /* its record: offset of that record's presence bits in the outermost record */
    uint32_t size;
    uint32_t type; /* raw */
};

static inline int nl_is_apart(uint8_t kind)
{
    return kind == NL_K_NESTED || kind == NL_K_STRUCT || kind == NL_K_RARE || kind == NL_K_ARRAY ||
           kind == NL_K_STRUCTS || kind == NL_K_SEQUENCE || kind == NL_K_CHAIN || kind == NL_K_SUBMESSAGE;
}

static inline int nl_is_list(uint8_t kind)
{
    return kind == NL_K_REPEATED || kind == NL_K_ARRAY || kind == NL_K_STRUCTS || kind == NL_K_SEQUENCE ||
           kind == NL_K_CHAIN;
}

/* Whether the content of a field depends on others of its record. */
static inline int nl_is_late(const struct nl_op *op)
{
    const struct nl_set *set = op->item ? op->item->set : op->set;
    if (op->kind == NL_K_ANNEX)
        return nl_is_late(op->item);
    return op->kind == NL_K_SUBMESSAGE || (op->kind != NL_K_CONTAINER && set && set->asks);
}

static inline void nl_op_finish(struct nl_op *op)
{
    int swap = (op->flags & NL_BIG) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    op->code = NL_C_OTHER;
    if (!op->depth)
        op->depth = 1;
    if (nl_is_late(op))
        op->code = NL_C_LATE;
    else if (op->kind == NL_K_NESTED)
        op->code = NL_C_NESTED;
    else if (op->kind == NL_K_CONTAINER)
        op->code = NL_C_CONTAINER;
    else if (op->kind == NL_K_STRUCT)
        op->code = NL_C_STRUCT;
    else if (nl_is_apart(op->kind == NL_K_ANNEX ? op->item->kind : op->kind))
        op->code = NL_C_APART;
    else if (op->kind == NL_K_ADDRESS && op->width == 4)
        op->code = op->size == NL_ADDRESS ? NL_C_ADDRESS4 : NL_C_32;
    else if (op->kind == NL_K_ADDRESS && op->width == 16)
        op->code = op->size == NL_ADDRESS ? NL_C_ADDRESS6 : NL_C_128;
    else if (op->kind == NL_K_INT && op->width == 1)
        op->code = NL_C_8;
    else if (op->kind == NL_K_INT && op->width == 2)
        op->code = swap ? NL_C_SWAP16 : NL_C_16;
    else if (op->kind == NL_K_INT && op->width == 4)
        op->code = swap ? NL_C_SWAP32 : NL_C_32;
    else if (op->kind == NL_K_INT && op->width == 8)
        op->code = swap ? NL_C_SWAP64 : NL_C_64;
}

/* Finds the fields of a struct that are copied at once, those of most structs. */
static inline void nl_set_finish(struct nl_set *set)
{
    uint32_t end = 0;
    set->same = 0;
    for (; set->wire_size && set->same < set->op_count; set->same++) {
        const struct nl_op *op = &set->ops[set->same];
        if ((op->code < NL_C_8 || op->code > NL_C_64) && op->code != NL_C_128 && op->kind != NL_K_FIXED)
            break;
        if (op->bit != set->same || op->at != end || op->offset != end)
            break;
        if (op->kind != NL_K_FIXED && op->size != op->width)
            break;
        end += op->size;
    }
}

/* ---- memory ---- */

/* Allocates n bytes in a heap: their offset, or 0 if there is no memory. */
static inline uint32_t nl_heap_alloc(struct nl_area *heap, size_t n)
{
    if (!heap->size) {
        if (nl_area_reserve(heap, 8) < 0)
            return 0;
        memset(heap->data, 0, 8);
        heap->size = 8;
    }
    if (n > UINT32_MAX - heap->size || nl_area_reserve(heap, n) < 0)
        return 0;
    uint32_t offset = (uint32_t)heap->size;
    heap->size += n;
    return offset;
}

/* The same, and zeroes them. */
static inline uint32_t nl_heap_alloc_zeroed(struct nl_area *heap, size_t n)
{
    uint32_t offset = nl_heap_alloc(heap, n);
    if (offset)
        memset(heap->data + offset, 0, n);
    return offset;
}

/* ---- presence ---- */

static inline int nl_present(const struct nl_set *set, const uint8_t *record, uint16_t bit)
{
    return record[set->presence + (bit >> 3)] >> (bit & 7) & 1;
}

static inline void nl_set_present(const struct nl_set *set, uint8_t *record, uint16_t bit)
{
    record[set->presence + (bit >> 3)] |= (uint8_t)(1u << (bit & 7));
}

/* Sets the first n presence bits. */
static inline void nl_set_first(const struct nl_set *set, uint8_t *record, unsigned n)
{
    memset(record + set->presence, 0xff, n >> 3);
    if (n & 7)
        record[set->presence + (n >> 3)] |= (uint8_t)((1u << (n & 7)) - 1);
}

/* ---- integers ---- */

static inline uint64_t nl_load_int(const uint8_t *p, unsigned width, unsigned flags)
{
    switch (width) {
    case 1:
        return flags & NL_SIGNED ? (uint64_t)(int64_t)(int8_t)p[0] : p[0];
    case 2: {
        uint16_t v = nl_load16(p);
        if ((flags & NL_BIG) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            v = __builtin_bswap16(v);
        return flags & NL_SIGNED ? (uint64_t)(int64_t)(int16_t)v : v;
    }
    case 4: {
        uint32_t v = nl_load32(p);
        if ((flags & NL_BIG) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            v = __builtin_bswap32(v);
        return flags & NL_SIGNED ? (uint64_t)(int64_t)(int32_t)v : v;
    }
    default: {
        uint64_t v = nl_load64(p);
        if ((flags & NL_BIG) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            v = __builtin_bswap64(v);
        return v;
    }
    }
}

static inline void nl_store_int(uint8_t *p, uint64_t value, unsigned width, unsigned flags)
{
    int swap = (flags & NL_BIG) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    switch (width) {
    case 1:
        p[0] = (uint8_t)value;
        break;
    case 2: {
        uint16_t v = (uint16_t)value;
        if (swap)
            v = __builtin_bswap16(v);
        memcpy(p, &v, 2);
        break;
    }
    case 4: {
        uint32_t v = (uint32_t)value;
        if (swap)
            v = __builtin_bswap32(v);
        memcpy(p, &v, 4);
        break;
    }
    default:
        if (swap)
            value = __builtin_bswap64(value);
        memcpy(p, &value, 8);
        break;
    }
}

/* ---- addresses ---- */

/* The bytes of a stored address, and their number: 4 or 16. size: bytes in the record. */
static inline const uint8_t *nl_address_bytes(const uint8_t *at, uint32_t size, const uint8_t *heap, unsigned *count)
{
    *count = size;
    if (size != NL_ADDRESS)
        return at;
    *count = at[4] == 6 ? 16 : 4;
    return at[4] == 6 ? heap + nl_load32(at) : at;
}

enum { NL_AF_INET = 2, NL_AF_INET6 = 10 };

/* The bytes before an IPv4 address in an IPv6 address. */
static const uint8_t nl_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* Stores an address of 4 or 16 bytes as a whole. */
static inline void nl_store_whole_address(uint8_t *to, const uint8_t *bytes, unsigned count)
{
    memcpy(to, nl_mapped, sizeof nl_mapped);
    memcpy(to + 16 - count, bytes, count);
    to[16] = count == 4 ? 4 : 6;
}

/* The bytes of an address that is stored as a whole, and their number. */
static inline const uint8_t *nl_whole_address_bytes(const uint8_t *at, unsigned *count)
{
    *count = at[16] == 4 ? 4 : 16;
    return at + 16 - *count;
}

/* Stores the 16 bytes of an address whose family is in the record already. One of IPv4 has the first 4. */
static inline void nl_decode_address_by(const struct nl_op *op, const uint8_t *bytes, uint8_t *record)
{
    int v4 = nl_load_int(record + op->sibling->offset, op->sibling->size, 0) == NL_AF_INET;
    nl_store_whole_address(record + op->offset, bytes, v4 ? 4 : 16);
}

/* ---- decode ---- */

enum {
    NL_DEPTH_MAX = 32, /* records in the heap inside each other */
    NL_PATH_MAX = 40,  /* fields of a path, which lacks the outer ones if it is longer */
};

enum nl_fault_kind {
    NL_FAULT_NONE,
    NL_FAULT_WIDTH,     /* a value has got bytes instead of want */
    NL_FAULT_ATTRIBUTE, /* an attribute's length field is wrong, or its header is cut off */
    NL_FAULT_FAMILY,    /* a socket address has another family, got */
    NL_FAULT_HEADER,    /* the payload is shorter than its header struct */
    NL_FAULT_DEPTH,     /* records are nested deeper than NL_DEPTH_MAX */
    NL_FAULT_MEMORY,    /* no memory */
    NL_FAULT_LIMIT,     /* an area has reached the limit of 32-bit offsets */
    NL_FAULT_AGAIN,     /* an attribute comes again, and the decoder does not look ahead; no caller sees it */
};

struct nl_fault {
    enum nl_fault_kind kind;
    uint32_t want, got;
    size_t offset; /* from the payload's start */
    unsigned depth;
    const struct nl_op *path[NL_PATH_MAX]; /* innermost first */
};

/* A set and its record, around the attributes at hand. */
struct nl_frame {
    const struct nl_set *set;
    const struct nl_place *place;
};

struct nl_decoder {
    const uint8_t *start;
    struct nl_area *heap;
    struct nl_area *datagrams; /* if the payload lies in it, it does not move */
    struct nl_fault *fault;
    int ahead;                     /* whether to look ahead for attributes that come again */
    unsigned depth;                /* records in the heap around the current one */
    const struct nl_frame *around; /* for sets that ask; NULL: there is none */
};

static int nl_fail(struct nl_decoder *d, enum nl_fault_kind kind, const uint8_t *at, size_t want, size_t got)
{
    d->fault->kind = kind;
    d->fault->offset = (size_t)(at - d->start);
    d->fault->want = (uint32_t)want;
    d->fault->got = (uint32_t)got;
    d->fault->depth = 0;
    return -1;
}

/* As nl_fail: n more bytes do not fit an area. */
static int nl_fail_full(struct nl_decoder *d, const struct nl_area *area, const uint8_t *at, size_t n)
{
    return nl_fail(d, n > UINT32_MAX - area->size ? NL_FAULT_LIMIT : NL_FAULT_MEMORY, at, 0, 0);
}

/* The place of a record: in fixed memory, or in the heap, which moves when it grows. */
struct nl_place {
    uint8_t *fixed; /* NULL: in the heap */
    size_t offset;  /* of the record, in fixed or the heap */
    size_t outer;   /* offset of the outermost record, which has the list of unknown attributes */
    size_t unknown; /* offset of the list's head; 0: unknown attributes are ignored */
};

static inline uint8_t *nl_at(const struct nl_decoder *d, const struct nl_place *place)
{
    return (place->fixed ? place->fixed : d->heap->data) + place->offset;
}

static int nl_decode_set(struct nl_decoder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                         const struct nl_place *place);

static int nl_decode_value(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op,
                           const struct nl_attribute *a, const struct nl_place *place);
static void nl_decode_struct(const struct nl_set *set, const uint8_t *payload, size_t size, uint8_t *record);

/* Decodes what a payload is as a whole: a struct, or attributes behind the header that the set may have. */
static int nl_decode_whole(struct nl_decoder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                           const struct nl_place *place)
{
    size_t header = 0;
    if (set->wire_size) {
        nl_decode_struct(set, payload, size, nl_at(d, place));
        return 0;
    }
    if (set->header) {
        const struct nl_set *head = set->header->set;
        uint8_t *record = nl_at(d, place);
        header = nl_align(head->wire_size);
        if (size < head->wire_size)
            return nl_fail(d, NL_FAULT_HEADER, payload, head->wire_size, size);
        if (header > size)
            header = size;
        nl_decode_struct(head, payload, head->wire_size, record + set->header->offset);
        nl_set_present(set, record, set->header->bit);
    }
    if (set->rest) {
        struct nl_attribute rest = {.payload = payload + header, .size = size - header};
        return rest.size ? nl_decode_value(d, set, set->rest, &rest, place) : 0;
    }
    return nl_decode_set(d, set, payload + header, size - header, place);
}

/* Decodes a separate record into the heap. `before` bytes of bookkeeping precede it. whole: as nl_decode_whole does,
 * else attributes alone. */
static int nl_decode_heap_record(struct nl_decoder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                                 size_t before, int whole, uint32_t *offset)
{
    size_t room = before + set->record_size + 4;
    *offset = nl_heap_alloc_zeroed(d->heap, room);
    if (!*offset)
        return nl_fail_full(d, d->heap, payload, room);
    size_t record = *offset + before;
    struct nl_place place = {NULL, record, record, record + set->record_size};
    if (d->depth == NL_DEPTH_MAX)
        return nl_fail(d, NL_FAULT_DEPTH, payload, NL_DEPTH_MAX, size);
    d->depth++;
    int result = whole ? nl_decode_whole(d, set, payload, size, &place) : nl_decode_set(d, set, payload, size, &place);
    d->depth--;
    return result;
}

/* Copies bytes to the heap. */
static inline int nl_heap_copy(struct nl_decoder *d, const uint8_t *bytes, size_t size, struct nl_ref *ref)
{
    ref->offset = ref->size = 0;
    if (!size)
        return 0;
    uint32_t offset = nl_heap_alloc(d->heap, size);
    if (!offset)
        return nl_fail_full(d, d->heap, bytes, size);
    memcpy(d->heap->data + offset, bytes, size);
    ref->offset = offset;
    ref->size = (uint32_t)size;
    return 0;
}

/* The size of a value; that of a string without trailing NULs. */
static inline size_t nl_text_size(const struct nl_op *op, const uint8_t *bytes, size_t size)
{
    if (op->kind == NL_K_STRING)
        while (size && bytes[size - 1] == 0)
            size--;
    return size;
}

/* Refers to bytes in the datagrams, and copies them there if they lie elsewhere. */
static inline int nl_view_bytes(struct nl_decoder *d, const uint8_t *bytes, size_t size, struct nl_ref *ref)
{
    struct nl_area *datagrams = d->datagrams;
    size_t offset = (size_t)((uintptr_t)bytes - (uintptr_t)datagrams->data);
    ref->offset = ref->size = 0;
    if (!size)
        return 0;
    if (offset >= datagrams->size) {
        offset = datagrams->size;
        if (size > UINT32_MAX - offset || nl_area_reserve(datagrams, size) < 0)
            return nl_fail_full(d, datagrams, bytes, size);
        memcpy(datagrams->data + offset, bytes, size);
        datagrams->size += size;
    }
    ref->offset = (uint32_t)offset;
    ref->size = (uint32_t)size;
    return 0;
}

/* Bytes of a struct's field on the wire. */
static inline size_t nl_struct_width(const struct nl_op *op)
{
    if (op->kind == NL_K_STRUCT)
        return op->set->wire_size;
    return op->kind == NL_K_INT || op->kind == NL_K_ADDRESS || op->kind == NL_K_ADDRESS_BY ? op->width : op->size;
}

/* The bytes of a struct's field that must be there for it to be present: of a struct in it the first field. */
static inline size_t nl_struct_least(const struct nl_op *op)
{
    size_t at = 0;
    for (; op->kind == NL_K_STRUCT; at += op->at)
        op = op->set->ops;
    return at + nl_struct_width(op);
}

/* How many of the fields that are copied at once are in a struct of some bytes, and the bytes of these. */
static inline unsigned nl_struct_same(const struct nl_set *set, size_t size, size_t *bytes)
{
    for (unsigned n = set->same; n; n--) {
        *bytes = set->ops[n - 1].at + set->ops[n - 1].size;
        if (*bytes <= size)
            return n;
    }
    *bytes = 0;
    return 0;
}

static void nl_decode_struct(const struct nl_set *set, const uint8_t *payload, size_t size, uint8_t *record)
{
    int by_family = 0, all = size >= set->wire_size;
    size_t bytes;
    unsigned same = nl_struct_same(set, size, &bytes);
    if (same) {
        memcpy(record, payload, bytes);
        nl_set_first(set, record, same);
    }
    for (unsigned i = same; i < set->op_count; i++) {
        const struct nl_op *op = &set->ops[i];
        if (!all && op->at + nl_struct_least(op) > size)
            continue; /* the struct of an older kernel is shorter */
        const uint8_t *from = payload + op->at;
        uint8_t *to = record + op->offset;
        switch (op->code) {
        case NL_C_8:
            *to = *from;
            break;
        case NL_C_16:
            memcpy(to, from, 2);
            break;
        case NL_C_32:
            memcpy(to, from, 4);
            break;
        case NL_C_64:
            memcpy(to, from, 8);
            break;
        case NL_C_SWAP16:
        case NL_C_SWAP32:
        case NL_C_SWAP64:
            nl_store_int(to, nl_load_int(from, op->width, op->flags), op->size, 0);
            break;
        case NL_C_STRUCT:
            nl_decode_struct(op->set, from, size - op->at, to);
            break;
        default:
            if (op->kind == NL_K_ADDRESS_BY)
                by_family = 1; /* the family may follow */
            else
                memcpy(to, from, op->size);
            break;
        }
        nl_set_present(set, record, op->bit);
    }
    for (unsigned i = 0; by_family && i < set->op_count; i++)
        if (set->ops[i].kind == NL_K_ADDRESS_BY && nl_present(set, record, set->ops[i].bit))
            nl_decode_address_by(&set->ops[i], payload + set->ops[i].at, record);
}

/* Appends an entry to the nl_list that lies `at` bytes into the record. */
static void nl_list_append(struct nl_decoder *d, const struct nl_place *place, size_t at, uint32_t entry)
{
    struct nl_list list;
    uint8_t *slot = nl_at(d, place) + at;
    memcpy(&list, slot, sizeof list);
    if (list.last)
        memcpy(d->heap->data + list.last, &entry, 4);
    else
        list.first = entry;
    list.last = entry;
    memcpy(slot, &list, sizeof list);
}

/* keys: the types of the attributes of an array around the item and of its own, the outermost first; NULL: no array. */
static int nl_decode_item(struct nl_decoder *d, const struct nl_op *op, const struct nl_attribute *a,
                          const struct nl_place *place, const uint16_t *keys)
{
    const struct nl_op *item = op->item;
    uint32_t entry;
    if (item->kind == NL_K_NESTED) {
        if (nl_decode_heap_record(d, item->set, a->payload, a->size, 4, op->kind == NL_K_CHAIN, &entry) < 0)
            return -1;
        for (unsigned level = 0; keys && level < op->depth; level++) {
            const struct nl_op *key = item->set->keys[level];
            uint8_t *record = d->heap->data + entry + 4;
            if (key) {
                memcpy(record + key->offset, &keys[level], 2);
                nl_set_present(item->set, record, key->bit);
            }
        }
    } else {
        /* A record of one field, with one byte of presence bits behind it. */
        size_t room = 4 + item->size + 1;
        entry = nl_heap_alloc_zeroed(d->heap, room);
        if (!entry)
            return nl_fail_full(d, d->heap, a->payload, room);
        struct nl_set alone = {.record_size = item->size + 1, .presence = item->size};
        struct nl_place inside = {NULL, entry + 4, entry + 4, 0};
        if (nl_decode_value(d, &alone, item, a, &inside) < 0)
            return -1;
    }
    nl_list_append(d, place, op->offset, entry);
    return 0;
}

/* Decodes the attributes of an array. level: of those around them. */
static int nl_decode_array(struct nl_decoder *d, const struct nl_op *op, const uint8_t *payload, size_t size,
                           const struct nl_place *place, unsigned level, uint16_t *keys)
{
    struct nl_cursor c = {payload, size};
    struct nl_attribute a;
    enum nl_step step;
    while ((step = nl_next_attribute(&c, &a)) == NL_ITEM) {
        keys[level] = a.type & NL_ATTR_TYPE;
        if ((level + 1 < op->depth ? nl_decode_array(d, op, a.payload, a.size, place, level + 1, keys)
                                   : nl_decode_item(d, op, &a, place, keys)) < 0)
            return -1;
    }
    return step == NL_BAD ? nl_fail(d, NL_FAULT_ATTRIBUTE, c.at, 0, c.left) : 0;
}

static int nl_decode_sequence(struct nl_decoder *d, const struct nl_op *op, const struct nl_attribute *a,
                              const struct nl_place *place)
{
    struct nl_cursor c = {a->payload, a->size};
    struct nl_attribute item;
    enum nl_step step;
    while ((step = nl_next_attribute(&c, &item)) == NL_ITEM) {
        item.payload -= NL_ATTR_HEADER; /* the record has the attribute itself */
        item.size += NL_ATTR_HEADER;
        if (nl_decode_item(d, op, &item, place, NULL) < 0)
            return -1;
    }
    return step == NL_BAD ? nl_fail(d, NL_FAULT_ATTRIBUTE, c.at, 0, c.left) : 0;
}

static int nl_decode_chain(struct nl_decoder *d, const struct nl_op *op, const struct nl_attribute *a,
                           const struct nl_place *place)
{
    struct nl_attribute item = *a;
    size_t left = a->size, header = op->item->set->header->set->wire_size;
    while (left) {
        if (left < header)
            return nl_fail(d, NL_FAULT_HEADER, item.payload, header, left);
        item.size = nl_load16(item.payload);
        if (item.size < header || item.size > left)
            return nl_fail(d, NL_FAULT_ATTRIBUTE, item.payload, 0, left);
        if (nl_decode_item(d, op, &item, place, NULL) < 0)
            return -1;
        size_t step = nl_align(item.size) < left ? nl_align(item.size) : left;
        item.payload += step;
        left -= step;
    }
    return 0;
}

static int nl_add_unknown(struct nl_decoder *d, const struct nl_set *set, const struct nl_attribute *a,
                          const struct nl_place *place)
{
    size_t room = sizeof(struct nl_unknown) + a->size;
    if (!place->unknown || set->narrow)
        return 0;
    uint32_t entry = nl_heap_alloc(d->heap, room);
    if (!entry)
        return nl_fail_full(d, d->heap, a->payload, room);
    uint8_t *head = (place->fixed ? place->fixed : d->heap->data) + place->unknown;
    struct nl_unknown u = {0, (uint32_t)(place->offset + set->presence - place->outer), (uint32_t)a->size, a->type};
    memcpy(&u.next, head, 4); /* newest first */
    memcpy(d->heap->data + entry, &u, sizeof u);
    memcpy(d->heap->data + entry + sizeof u, a->payload, a->size);
    memcpy(head, &entry, 4);
    return 0;
}

/* Decodes an IPv6 address into a field that may have either family. */
static int nl_decode_address6(struct nl_decoder *d, const uint8_t *bytes, const struct nl_op *op,
                              const struct nl_place *place)
{
    uint32_t offset = nl_heap_alloc(d->heap, 16);
    if (!offset)
        return nl_fail_full(d, d->heap, bytes, 16);
    memcpy(d->heap->data + offset, bytes, 16);
    uint8_t *to = nl_at(d, place) + op->offset;
    memcpy(to, &offset, 4);
    to[4] = 6;
    return 0;
}

static inline int nl_width(struct nl_decoder *d, const struct nl_attribute *a, size_t want)
{
    if (a->size == want)
        return 0;
    return nl_fail(d, NL_FAULT_WIDTH, a->payload, want, a->size);
}

/* Whether a payload is values of a width side by side. */
static inline int nl_widths(struct nl_decoder *d, const struct nl_attribute *a, size_t width)
{
    size_t rest = a->size % width;
    return rest ? nl_fail(d, NL_FAULT_WIDTH, a->payload, a->size - rest + width, a->size) : 0;
}

/* Skips the number of the structs in an attribute, which must be right. */
static int nl_open_structs(struct nl_decoder *d, const struct nl_op *op, struct nl_attribute *a)
{
    size_t size = op->item->set->wire_size;
    if (!op->width)
        return nl_widths(d, a, size);
    uint64_t count = a->size < op->width ? 0 : nl_load_int(a->payload, op->width, op->flags);
    if (count > UINT16_MAX) /* no attribute has as many, and the product below may not overflow */
        count = UINT16_MAX;
    if (a->size < op->width || a->size - op->width != count * size)
        return nl_fail(d, NL_FAULT_WIDTH, a->payload, op->width + count * size, a->size);
    a->payload += op->width;
    a->size -= op->width;
    return 0;
}

__attribute__((noinline)) static int nl_decode_sockaddr(struct nl_decoder *d, const struct nl_attribute *a, uint8_t *to)
{
    struct nl_socket_address address = {.flow_info = 0};
    const uint8_t *p = a->payload;
    if (a->size < 2)
        return nl_fail(d, NL_FAULT_WIDTH, p, 16, a->size);
    unsigned family = nl_load16(p);
    size_t want = family == NL_AF_INET ? 16 : 28;
    if (family != NL_AF_INET && family != NL_AF_INET6)
        return nl_fail(d, NL_FAULT_FAMILY, p, 0, family);
    if (a->size < want) /* struct sockaddr_storage is longer */
        return nl_fail(d, NL_FAULT_WIDTH, p, want, a->size);
    address.port = (uint16_t)nl_load_int(p + 2, 2, NL_BIG);
    nl_store_whole_address(address.address, p + (want == 16 ? 4 : 8), want == 16 ? 4 : 16);
    if (want == 28) {
        address.flow_info = (uint32_t)nl_load_int(p + 4, 4, NL_BIG);
        address.scope_id = nl_load32(p + 24);
    }
    memcpy(to, &address, sizeof address);
    return 0;
}

/* The place of a record's annex, which is made if there is none. */
static int nl_open_annex(struct nl_decoder *d, const struct nl_op *op, const struct nl_attribute *a,
                         const struct nl_place *place, struct nl_place *inside)
{
    uint32_t offset = nl_load32(nl_at(d, place) + op->offset), room = op->set->record_size + 4;
    if (!offset) {
        offset = nl_heap_alloc_zeroed(d->heap, room);
        if (!offset)
            return nl_fail_full(d, d->heap, a->payload, room);
        memcpy(nl_at(d, place) + op->offset, &offset, 4);
    }
    *inside = (struct nl_place){NULL, offset, offset, offset + op->set->record_size};
    return 0;
}

/* Decodes a value of any kind. nl_decode_set handles the common kinds itself. Lists and the constructor
 * call this for them. */
static int nl_decode_value(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op,
                           const struct nl_attribute *a, const struct nl_place *place)
{
    uint8_t *record = nl_at(d, place);
    uint8_t *to = record + op->offset;
    switch (op->kind) {
    case NL_K_INT: {
        unsigned width = op->width;
        if (width == 0) {
            width = (unsigned)a->size;
            if (width != 1 && width != 2 && width != 4 && width != 8)
                return nl_fail(d, NL_FAULT_WIDTH, a->payload, 8, a->size);
        } else if (nl_width(d, a, width) < 0) {
            return -1;
        }
        nl_store_int(to, nl_load_int(a->payload, width, op->flags), op->size, 0);
        break;
    }
    case NL_K_FLAG:
        if (nl_width(d, a, 0) < 0)
            return -1;
        *to = 1;
        break;
    case NL_K_STRING:
    case NL_K_BINARY:
    case NL_K_REST: {
        struct nl_ref ref;
        if (nl_heap_copy(d, a->payload, nl_text_size(op, a->payload, a->size), &ref) < 0)
            return -1;
        record = nl_at(d, place);
        memcpy(record + op->offset, &ref, sizeof ref);
        break;
    }
    case NL_K_FIXED:
        if (nl_width(d, a, op->size) < 0)
            return -1;
        memcpy(to, a->payload, op->size);
        break;
    case NL_K_ADDRESS:
        if (op->width == 0 ? a->size != 4 && a->size != 16 : a->size != op->width)
            return nl_fail(d, NL_FAULT_WIDTH, a->payload, op->width ? op->width : 16, a->size);
        if (op->size != NL_ADDRESS) {
            memcpy(to, a->payload, a->size);
        } else if (a->size == 4) {
            memcpy(to, a->payload, 4);
            to[4] = 4;
        } else if (nl_decode_address6(d, a->payload, op, place) < 0) {
            return -1;
        }
        break;
    case NL_K_ADDRESS_BY:
        if (nl_width(d, a, 16) < 0)
            return -1;
        nl_store_whole_address(to, a->payload, 16); /* nl_decode_set looks at the family in the end */
        break;
    case NL_K_SOCKADDR:
        if (nl_decode_sockaddr(d, a, to) < 0)
            return -1;
        break;
    case NL_K_NESTED: {
        struct nl_place inside = *place;
        inside.offset += op->offset;
        if (nl_decode_set(d, op->set, a->payload, a->size, &inside) < 0)
            return -1;
        break;
    }
    case NL_K_STRUCT:
        nl_decode_struct(op->set, a->payload, a->size, to);
        break;
    case NL_K_RARE: {
        uint32_t offset;
        if (nl_decode_heap_record(d, op->set, a->payload, a->size, 0, 0, &offset) < 0)
            return -1;
        memcpy(nl_at(d, place) + op->offset, &offset, 4);
        break;
    }
    case NL_K_ANNEX: {
        struct nl_place inside;
        if (nl_open_annex(d, op, a, place, &inside) < 0)
            return -1;
        return nl_decode_value(d, op->set, op->item, a, &inside);
    }
    case NL_K_REPEATED:
        if (nl_decode_item(d, op, a, place, NULL) < 0)
            return -1;
        break;
    case NL_K_ARRAY: {
        uint16_t keys[NL_KEYS_MAX];
        size_t heap = d->heap->size;
        if (nl_decode_array(d, op, a->payload, a->size, place, 0, keys) < 0) {
            memset(nl_at(d, place) + op->offset, 0, op->size); /* a lenient set goes on without the field */
            d->heap->size = heap;
            return -1;
        }
        break;
    }
    case NL_K_STRUCTS: {
        struct nl_attribute item = *a;
        if (nl_open_structs(d, op, &item) < 0)
            return -1;
        for (item.size = op->item->set->wire_size; item.payload < a->payload + a->size; item.payload += item.size)
            if (nl_decode_item(d, op, &item, place, NULL) < 0)
                return -1;
        break;
    }
    case NL_K_SEQUENCE:
        if (nl_decode_sequence(d, op, a, place) < 0)
            return -1;
        break;
    case NL_K_CHAIN:
        if (nl_decode_chain(d, op, a, place) < 0)
            return -1;
        break;
    case NL_K_PACKED: {
        struct nl_ref ref;
        if (nl_widths(d, a, op->width) < 0)
            return -1;
        if (nl_heap_copy(d, a->payload, a->size, &ref) < 0)
            return -1;
        for (size_t i = 0; i < ref.size; i += op->width) {
            uint8_t *value = d->heap->data + ref.offset + i;
            nl_store_int(value, nl_load_int(value, op->width, op->flags), op->width, 0);
        }
        memcpy(nl_at(d, place) + op->offset, &ref, sizeof ref);
        break;
    }
    case NL_K_VIEW: {
        struct nl_ref ref;
        if (nl_view_bytes(d, a->payload, a->size, &ref) < 0)
            return -1;
        memcpy(to, &ref, sizeof ref);
        break;
    }
    case NL_K_SUBMESSAGE: /* its content: nl_decode_submessage */
        break;
    case NL_K_CONTAINER:
        return nl_decode_set(d, op->set, a->payload, a->size, place);
    default:
        return 0;
    }
    nl_set_present(set, nl_at(d, place), op->bit);
    return 0;
}

/* The case of a submessage that a field of the same record, or of the one around it, chooses; NULL if there is none. */
static const struct nl_case *nl_choose_case(const struct nl_decoder *d, const struct nl_op *op,
                                            const struct nl_set *set, const struct nl_place *place)
{
    const struct nl_op *by = op->sibling;
    const uint8_t *heap = d->heap->data, *record = nl_at(d, place);
    if (op->outer) {
        if (!d->around)
            return NULL;
        set = d->around->set;
        record = nl_at(d, d->around->place);
        if (!by)
            by = op->by < set->limit ? set->index[op->by] : NULL;
    }
    if (op->in_header) {
        if (!set->header)
            return NULL;
        record += set->header->offset;
        set = set->header->set;
        if (by < set->ops || by >= set->ops + set->op_count) /* of another header */
            return NULL;
    }
    if (!by || (by->kind != NL_K_STRING && by->kind != NL_K_INT) || !nl_present(set, record, by->bit))
        return NULL;
    for (unsigned i = 0; i < op->case_count; i++) {
        const struct nl_case *c = &op->cases[i];
        if (by->kind == NL_K_STRING) {
            struct nl_ref text;
            memcpy(&text, record + by->offset, sizeof text);
            if (c->text && text.size == c->text_size && (!text.size || !memcmp(heap + text.offset, c->text, text.size)))
                return c;
        } else if (!c->text && nl_load_int(record + by->offset, by->size, by->flags & NL_SIGNED) == c->number) {
            return c;
        }
    }
    return NULL;
}

/* Decodes a submessage. */
static int nl_decode_submessage(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op,
                                const uint8_t *payload, size_t size, const struct nl_place *place)
{
    const struct nl_case *chosen = nl_choose_case(d, op, set, place);
    struct nl_frame frame = {set, place};
    const struct nl_frame *around = d->around;
    struct nl_sub sub = {0, 0, 0, UINT32_MAX};
    d->around = &frame;
    int result = chosen ? nl_decode_heap_record(d, chosen->set, payload, size, 0, 1, &sub.record) : 0;
    d->around = around;
    if (result < 0) {
        if (!set->lenient || d->fault->kind != NL_FAULT_HEADER || d->fault->depth)
            return -1;
        chosen = NULL; /* too short for its header: bytes, as without a case */
    }
    if (chosen) {
        sub.which = (uint32_t)(chosen - op->cases);
    } else {
        struct nl_ref ref;
        if (nl_heap_copy(d, payload, size, &ref) < 0)
            return -1;
        sub = (struct nl_sub){ref.offset, ref.size, 0, UINT32_MAX};
    }
    memcpy(nl_at(d, place) + op->offset, &sub, sizeof sub);
    return 0;
}

/* Decodes an attribute of NL_C_LATE. Fields that decide about it may follow it in the payload: this runs after all
 * other attributes of the set. */
static int nl_decode_late(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op,
                          const struct nl_attribute *a, const struct nl_place *place)
{
    if (op->kind == NL_K_SUBMESSAGE)
        return nl_decode_submessage(d, set, op, a->payload, a->size, place);
    struct nl_frame frame = {set, place};
    const struct nl_frame *around = d->around;
    d->around = &frame;
    int result = nl_decode_value(d, set, op, a, place);
    d->around = around;
    return result;
}

/* Whether a field's attribute came before. seen: as in nl_decode_set. */
static inline uint64_t nl_seen(const struct nl_set *set, const uint8_t *record, const struct nl_op *op, uint64_t seen)
{
    return (op->bit < 64 && seen >> op->bit & 1) || nl_present(set, record, op->bit);
}

/* The same for an attribute of NL_C_APART. */
static inline uint64_t nl_seen_apart(const struct nl_decoder *d, const struct nl_set *set, const uint8_t *record,
                                     const struct nl_op *op)
{
    if (op->kind != NL_K_ANNEX)
        return nl_present(set, record, op->bit);
    uint32_t annex = nl_load32(record + op->offset);
    return annex && nl_present(op->set, d->heap->data + annex, op->item->bit);
}

/* Of several attributes of one type the last one counts, as in the kernel's nla_parse: of a set or an array with all
 * that it has, nothing of those before. So nl_decode_set fails with NL_FAULT_AGAIN at the second one, and nl_decode
 * begins anew with a decoder that looks ahead. Only such payloads pay for it, each attribute a constant price. */

static int nl_comes_again(struct nl_cursor rest, unsigned type)
{
    struct nl_attribute a;
    while (nl_next_attribute(&rest, &a) == NL_ITEM)
        if ((a.type & NL_ATTR_TYPE) == type)
            return 1;
    return 0;
}

/* Decodes an attribute that does not count, only to see whether it is well-formed. */
static int nl_decode_aside(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op,
                           const struct nl_attribute *a)
{
    size_t heap = d->heap->size, datagrams = d->datagrams->size, room = (size_t)set->record_size + 4;
    uint32_t record = nl_heap_alloc_zeroed(d->heap, room);
    if (!record)
        return nl_fail_full(d, d->heap, a->payload, room);
    struct nl_place place = {NULL, record, record, record + set->record_size};
    int result = nl_decode_value(d, set, op, a, &place);
    d->heap->size = heap;
    d->datagrams->size = datagrams;
    return result;
}

/* Whether an attribute counts: 1; 0 if it comes again in the rest of the payload; -1 for a fault. before: whether it
 * came before. */
static int nl_counts(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op, struct nl_attribute a,
                     struct nl_cursor rest, uint64_t before)
{
    if (__builtin_expect(!d->ahead, 1))
        return before ? nl_fail(d, NL_FAULT_AGAIN, a.payload, 0, 0) : 1;
    if (!nl_comes_again(rest, a.type & NL_ATTR_TYPE))
        return 1;
    return nl_decode_aside(d, set, op, &a);
}

/* Goes on behind an attribute that could not be decoded, if only its width is wrong and the set is lenient: it is an
 * unknown one then. 0; -1 if the fault stays. */
__attribute__((noinline, cold)) static int nl_forgive(struct nl_decoder *d, const struct nl_set *set,
                                                      const struct nl_op *op, struct nl_attribute a,
                                                      struct nl_cursor rest, const struct nl_place *place)
{
    if (!set->lenient || (d->fault->kind != NL_FAULT_WIDTH && d->fault->kind != NL_FAULT_FAMILY) || d->fault->depth)
        return -1;
    if (op->code == NL_C_APART && nl_comes_again(rest, a.type & NL_ATTR_TYPE))
        return 0; /* it does not count */
    return nl_add_unknown(d, set, &a, place);
}

static inline const struct nl_op *nl_field_of(const struct nl_op *op)
{
    return op->kind == NL_K_ANNEX ? op->item : op;
}

/* Marks a field of NL_C_LATE as present, though it is decoded later: the next attribute of its type comes again. */
static int nl_count_late(struct nl_decoder *d, const struct nl_set *set, const struct nl_op *op, struct nl_attribute a,
                         struct nl_cursor rest, const struct nl_place *place)
{
    if (nl_field_of(op)->kind == NL_K_REPEATED)
        return 0;
    int counts = nl_counts(d, set, op, a, rest, nl_seen_apart(d, set, nl_at(d, place), op));
    if (counts <= 0)
        return counts;
    struct nl_place inside = *place;
    if (op->kind == NL_K_ANNEX) {
        if (nl_open_annex(d, op, &a, place, &inside) < 0)
            return -1;
        set = op->set;
        op = op->item;
    }
    nl_set_present(set, nl_at(d, &inside), op->bit);
    return 0;
}

static void nl_write_presence(const struct nl_set *set, uint8_t *record, uint64_t seen)
{
    for (uint8_t *p = record + set->presence; seen; p++, seen >>= 8)
        *p |= (uint8_t)seen;
}

static int nl_decode_set(struct nl_decoder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                         const struct nl_place *place)
{
    struct nl_cursor c = {payload, size};
    struct nl_attribute a;
    enum nl_step step;
    int late = 0;            /* whether there are fields that others tell about */
    uint64_t seen = 0;       /* the first 64 presence bits: written at the end */
    uint64_t containers = 0; /* of these types modulo 64; a false alarm only costs time */
    size_t want;
    int counts;
    const struct nl_op *op = NULL;
    uint8_t *record = nl_at(d, place);
    while ((step = nl_next_attribute(&c, &a)) == NL_ITEM) {
        unsigned type = a.type & NL_ATTR_TYPE;
        op = type < set->limit ? set->index[type] : NULL;
        if (!op) {
            struct nl_attribute whole = a; /* a itself stays in registers */
            if (nl_add_unknown(d, set, &whole, place) < 0)
                return -1;
            record = nl_at(d, place);
            continue;
        }
        uint8_t *to = record + op->offset;
        switch (op->code) {
        case NL_C_8:
            if (a.size != (want = 1))
                goto width;
            *to = *a.payload;
            break;
        case NL_C_16:
            if (a.size != (want = 2))
                goto width;
            memcpy(to, a.payload, 2);
            break;
        case NL_C_32:
            if (a.size != (want = 4))
                goto width;
            memcpy(to, a.payload, 4);
            break;
        case NL_C_64:
            if (a.size != (want = 8))
                goto width;
            memcpy(to, a.payload, 8);
            break;
        case NL_C_SWAP16: {
            if (a.size != (want = 2))
                goto width;
            uint16_t v = __builtin_bswap16(nl_load16(a.payload));
            memcpy(to, &v, 2);
            break;
        }
        case NL_C_SWAP32: {
            if (a.size != (want = 4))
                goto width;
            uint32_t v = __builtin_bswap32(nl_load32(a.payload));
            memcpy(to, &v, 4);
            break;
        }
        case NL_C_SWAP64: {
            if (a.size != (want = 8))
                goto width;
            uint64_t v = __builtin_bswap64(nl_load64(a.payload));
            memcpy(to, &v, 8);
            break;
        }
        case NL_C_128:
            if (a.size != (want = 16))
                goto width;
            memcpy(to, a.payload, 16);
            break;
        case NL_C_ADDRESS4:
            if (a.size != (want = 4))
                goto width;
            memcpy(to, a.payload, 4);
            to[4] = 4;
            break;
        case NL_C_ADDRESS6:
            if (a.size != (want = 16))
                goto width;
            if (nl_decode_address6(d, a.payload, op, place) < 0)
                goto inside;
            record = nl_at(d, place);
            break;
        case NL_C_STRUCT:
            if ((counts = nl_counts(d, set, op, a, c, nl_seen(set, record, op, seen))) < 0)
                goto inside;
            if (counts)
                nl_decode_struct(op->set, a.payload, a.size, to);
            record = nl_at(d, place);
            break;
        case NL_C_NESTED: {
            struct nl_place inside = *place;
            inside.offset += op->offset;
            if ((counts = nl_counts(d, set, op, a, c, nl_seen(set, record, op, seen))) < 0 ||
                (counts && nl_decode_set(d, op->set, a.payload, a.size, &inside) < 0))
                goto inside;
            record = nl_at(d, place);
            break;
        }
        case NL_C_CONTAINER: {
            uint64_t bit = UINT64_C(1) << (type & 63);
            if ((counts = nl_counts(d, set, op, a, c, containers & bit)) < 0 ||
                (counts && nl_decode_set(d, op->set, a.payload, a.size, place) < 0))
                goto inside;
            containers |= bit;
            record = nl_at(d, place);
            continue; /* not a field: it has no presence bit */
        }
        default: {
            struct nl_attribute whole = a;
            counts = op->code == NL_C_APART ? nl_counts(d, set, op, a, c, nl_seen_apart(d, set, record, op)) : 1;
            if (counts < 0 || (counts && nl_decode_value(d, set, op, &whole, place) < 0))
                goto unfit;
            record = nl_at(d, place);
            late |= op->kind == NL_K_ADDRESS_BY;
            continue;
        }
        case NL_C_LATE:
            if (nl_count_late(d, set, op, a, c, place) < 0)
                goto unfit;
            late = 1;
            record = nl_at(d, place);
            continue;
        }
        if (op->bit < 64)
            seen |= UINT64_C(1) << op->bit;
        else
            nl_set_present(set, record, op->bit);
        continue;
    width:
        nl_fail(d, NL_FAULT_WIDTH, a.payload, want, a.size);
    unfit:
        if (nl_forgive(d, set, op, a, c, place) < 0)
            goto inside;
        record = nl_at(d, place);
    }
    if (step == NL_BAD)
        return nl_fail(d, NL_FAULT_ATTRIBUTE, c.at, 0, c.left);
    nl_write_presence(set, record, seen);
    if (late) {
        struct nl_cursor again = {payload, size};
        while (nl_next_attribute(&again, &a) == NL_ITEM) {
            unsigned type = a.type & NL_ATTR_TYPE;
            op = type < set->limit ? set->index[type] : NULL;
            if (op && op->kind == NL_K_ADDRESS_BY && a.size == 16)
                nl_decode_address_by(op, a.payload, nl_at(d, place));
            if (!op || op->code != NL_C_LATE)
                continue;
            int last = !d->ahead || nl_field_of(op)->kind == NL_K_REPEATED || !nl_comes_again(again, type);
            if (!last && op->kind != NL_K_SUBMESSAGE)
                continue; /* nl_count_late saw it */
            struct nl_attribute whole = a;
            size_t heap = d->heap->size, datagrams = d->datagrams->size;
            if (nl_decode_late(d, set, op, &whole, place) < 0)
                goto inside;
            if (!last) {
                d->heap->size = heap;
                d->datagrams->size = datagrams;
            }
        }
    }
    return 0;
inside:
    if (d->fault->depth < NL_PATH_MAX && op->kind != NL_K_CONTAINER)
        d->fault->path[d->fault->depth++] = op;
    return -1;
}

/* Decodes a payload, the bytes behind nlmsghdr, into a zeroed record of set->record_size + 4 bytes. 0, or -1 and the
 * cause in fault: heap and datagrams may have grown, and the caller restores their sizes. */
static inline int nl_decode(const struct nl_set *set, const uint8_t *payload, size_t size, uint8_t *record,
                            struct nl_area *heap, struct nl_area *datagrams, struct nl_fault *fault)
{
    struct nl_decoder d = {payload, heap, datagrams, fault, 0, 0, NULL};
    struct nl_place place = {record, 0, 0, set->record_size};
    size_t heap_size = heap->size, datagrams_size = datagrams->size;
    int result = nl_decode_whole(&d, set, payload, size, &place);
    if (result == 0 || fault->kind != NL_FAULT_AGAIN)
        return result;
    heap->size = heap_size;
    datagrams->size = datagrams_size;
    memset(record, 0, set->record_size + 4);
    d.ahead = 1;
    return nl_decode_whole(&d, set, payload, size, &place);
}

/* ---- encode ---- */

/* The memory that records refer to. */
struct nl_bytes {
    const uint8_t *heap, *datagrams;
};

/* 0, -ENOMEM, or -E2BIG if an attribute's payload is longer than NL_ATTR_MAX. */
static int nl_encode_set(const struct nl_set *set, const uint8_t *record, const struct nl_bytes *bytes,
                         struct nl_area *out);
static int nl_encode(const struct nl_set *set, const uint8_t *record, const struct nl_bytes *bytes,
                     struct nl_area *out);

static int nl_open_attribute(struct nl_area *out, uint16_t type, size_t *at)
{
    if (nl_area_reserve(out, NL_ATTR_HEADER) < 0)
        return -ENOMEM;
    *at = out->size;
    memset(out->data + out->size, 0, NL_ATTR_HEADER);
    memcpy(out->data + out->size + 2, &type, 2);
    out->size += NL_ATTR_HEADER;
    return 0;
}

static int nl_close_attribute(struct nl_area *out, size_t at)
{
    size_t length = out->size - at;
    if (length > NL_ATTR_MAX + NL_ATTR_HEADER)
        return -E2BIG;
    uint16_t field = (uint16_t)length;
    memcpy(out->data + at, &field, 2);
    size_t padding = nl_align(length) - length;
    if (nl_area_reserve(out, padding) < 0)
        return -ENOMEM;
    memset(out->data + out->size, 0, padding);
    out->size += padding;
    return 0;
}

static int nl_put(struct nl_area *out, const void *bytes, size_t size)
{
    if (nl_area_reserve(out, size) < 0)
        return -ENOMEM;
    if (size)
        memcpy(out->data + out->size, bytes, size);
    out->size += size;
    return 0;
}

/* Writes an address over 16 zeros. */
static void nl_write_address_by(const uint8_t *from, uint8_t *to)
{
    unsigned count;
    const uint8_t *address = nl_whole_address_bytes(from, &count);
    memcpy(to, address, count);
}

static int nl_encode_sockaddr(const uint8_t *from, struct nl_area *out)
{
    uint8_t wire[28] = {0};
    struct nl_socket_address address;
    unsigned count;
    memcpy(&address, from, sizeof address);
    const uint8_t *bytes = nl_whole_address_bytes(address.address, &count);
    nl_store_int(wire, count == 4 ? NL_AF_INET : NL_AF_INET6, 2, 0);
    nl_store_int(wire + 2, address.port, 2, NL_BIG);
    if (count == 16) {
        nl_store_int(wire + 4, address.flow_info, 4, NL_BIG);
        nl_store_int(wire + 24, address.scope_id, 4, 0);
    }
    memcpy(wire + (count == 4 ? 4 : 8), bytes, count);
    return nl_put(out, wire, count == 4 ? 16 : 28);
}

/* Writes the present fields of a struct over zeros. Returns how many bytes they take: all, with the padding at the end,
 * if none is missing there. */
static size_t nl_write_struct(const struct nl_set *set, const uint8_t *record, uint8_t *to)
{
    size_t end = 0;
    for (unsigned i = 0; i < set->op_count; i++) {
        const struct nl_op *op = &set->ops[i];
        const uint8_t *from = record + op->offset;
        size_t width = nl_struct_width(op), used = width;
        if (!nl_present(set, record, op->bit))
            continue;
        if (op->kind == NL_K_INT)
            nl_store_int(to + op->at, nl_load_int(from, op->size, 0), op->width, op->flags);
        else if (op->kind == NL_K_STRUCT)
            used = nl_write_struct(op->set, from, to + op->at);
        else if (op->kind == NL_K_ADDRESS_BY)
            nl_write_address_by(from, to + op->at);
        else
            memcpy(to + op->at, from, op->size);
        end = i + 1u == set->op_count && used == width ? set->wire_size : op->at + used;
    }
    return end;
}

/* whole: all bytes, zeros where fields are absent; else as many as the present fields take. */
static int nl_encode_struct(const struct nl_set *set, const uint8_t *record, int whole, struct nl_area *out)
{
    if (nl_area_reserve(out, set->wire_size) < 0)
        return -ENOMEM;
    if (!set->wire_size)
        return 0;
    uint8_t *to = out->data + out->size;
    memset(to, 0, set->wire_size);
    size_t end = nl_write_struct(set, record, to);
    out->size += whole ? set->wire_size : end;
    return 0;
}

/* Encodes an integer of fixed width together with its attribute header. */
static int nl_encode_int(const struct nl_op *op, const uint8_t *from, struct nl_area *out)
{
    uint16_t length = (uint16_t)(NL_ATTR_HEADER + op->width);
    if (nl_area_reserve(out, NL_ATTR_HEADER + 8) < 0)
        return -ENOMEM;
    uint8_t *to = out->data + out->size;
    memcpy(to, &length, 2);
    memcpy(to + 2, &op->type, 2);
    memset(to + NL_ATTR_HEADER, 0, 4); /* padding of 1 and 2 bytes */
    nl_store_int(to + NL_ATTR_HEADER, nl_load_int(from, op->size, 0), op->width, op->flags);
    out->size += nl_align(length);
    return 0;
}

static int nl_encode_array(const struct nl_op *op, const uint8_t *from, const struct nl_bytes *bytes,
                           struct nl_area *out);
static int nl_encode_side_by_side(const struct nl_op *op, const uint8_t *from, const struct nl_bytes *bytes,
                                  struct nl_area *out);

/* Encodes the payload of one present field. */
static int nl_encode_value(const struct nl_op *op, const uint8_t *from, const struct nl_bytes *bytes,
                           struct nl_area *out)
{
    switch (op->kind) {
    case NL_K_INT: {
        uint8_t wire[8];
        unsigned width = op->width ? op->width : op->size;
        if (!op->width) { /* 4 bytes if the value fits, else 8, as the kernel encodes NLA_UINT */
            uint64_t value = nl_load_int(from, op->size, 0);
            int64_t number;
            memcpy(&number, &value, 8);
            int fits = op->flags & NL_SIGNED ? number >= INT32_MIN && number <= INT32_MAX : value <= UINT32_MAX;
            width = fits ? 4 : 8;
        }
        nl_store_int(wire, nl_load_int(from, op->size, 0), width, op->flags);
        return nl_put(out, wire, width);
    }
    case NL_K_FLAG:
        return 0;
    case NL_K_STRING:
    case NL_K_BINARY:
    case NL_K_REST: {
        struct nl_ref ref;
        memcpy(&ref, from, sizeof ref);
        int result = nl_put(out, ref.size ? bytes->heap + ref.offset : NULL, ref.size);
        return result < 0 || op->kind != NL_K_STRING ? result : nl_put(out, "", 1);
    }
    case NL_K_VIEW: {
        struct nl_ref ref;
        memcpy(&ref, from, sizeof ref);
        return nl_put(out, ref.size ? bytes->datagrams + ref.offset : NULL, ref.size);
    }
    case NL_K_FIXED:
        return nl_put(out, from, op->size);
    case NL_K_ADDRESS: {
        unsigned count;
        const uint8_t *address = nl_address_bytes(from, op->size, bytes->heap, &count);
        return nl_put(out, address, count);
    }
    case NL_K_ADDRESS_BY: {
        uint8_t wire[16] = {0};
        nl_write_address_by(from, wire);
        return nl_put(out, wire, sizeof wire);
    }
    case NL_K_SOCKADDR:
        return nl_encode_sockaddr(from, out);
    case NL_K_NESTED:
        return nl_encode_set(op->set, from, bytes, out);
    case NL_K_RARE: {
        uint32_t offset;
        memcpy(&offset, from, 4);
        return nl_encode_set(op->set, bytes->heap + offset, bytes, out);
    }
    case NL_K_STRUCT:
        return nl_encode_struct(op->set, from, 0, out);
    case NL_K_ARRAY:
        return nl_encode_array(op, from, bytes, out);
    case NL_K_STRUCTS:
    case NL_K_SEQUENCE:
    case NL_K_CHAIN:
        return nl_encode_side_by_side(op, from, bytes, out);
    case NL_K_PACKED: {
        struct nl_ref ref;
        memcpy(&ref, from, sizeof ref);
        for (size_t i = 0; i < ref.size; i += op->width) {
            uint8_t wire[8];
            nl_store_int(wire, nl_load_int(bytes->heap + ref.offset + i, op->width, 0), op->width, op->flags);
            if (nl_put(out, wire, op->width) < 0)
                return -ENOMEM;
        }
        return 0;
    }
    case NL_K_SUBMESSAGE: {
        struct nl_sub sub;
        memcpy(&sub, from, sizeof sub);
        if (sub.record)
            return nl_encode(op->cases[sub.which].set, bytes->heap + sub.record, bytes, out);
        return nl_put(out, sub.raw_size ? bytes->heap + sub.raw : NULL, sub.raw_size);
    }
    default:
        return 0;
    }
}

/* Encodes an item of a list as an attribute. */
static int nl_encode_item(const struct nl_op *item, uint16_t type, const uint8_t *from, const struct nl_bytes *bytes,
                          struct nl_area *out)
{
    size_t at;
    int result = nl_open_attribute(out, type | (item->kind == NL_K_NESTED ? NL_ATTR_NESTED : 0), &at);
    if (result == 0)
        result = nl_encode_value(item, from, bytes, out);
    return result < 0 ? result : nl_close_attribute(out, at);
}

static int nl_encode_repeated(const struct nl_op *op, const uint8_t *from, const struct nl_bytes *bytes,
                              struct nl_area *out)
{
    struct nl_list list;
    memcpy(&list, from, sizeof list);
    for (uint32_t entry = list.first; entry; entry = nl_load32(bytes->heap + entry)) {
        int result = nl_encode_item(op->item, op->type, bytes->heap + entry + 4, bytes, out);
        if (result < 0)
            return result;
    }
    return 0;
}

/* The types of the attributes of an array for an item: its keys. Without them the items are numbered, in one attribute
 * of each level around them. */
static void nl_item_keys(const struct nl_op *op, const uint8_t *record, uint16_t number, uint16_t *keys)
{
    const struct nl_set *set = op->item->kind == NL_K_NESTED ? op->item->set : NULL;
    for (unsigned level = 0; level < op->depth; level++) {
        const struct nl_op *key = set ? set->keys[level] : NULL;
        if (key && nl_present(set, record, key->bit))
            memcpy(&keys[level], record + key->offset, 2);
        else
            keys[level] = level + 1u < op->depth ? 1 : number;
    }
}

/* Encodes the attributes of an array. Adjacent items with the same keys of outer levels lie in one attribute. */
static int nl_encode_array(const struct nl_op *op, const uint8_t *from, const struct nl_bytes *bytes,
                           struct nl_area *out)
{
    struct nl_list list;
    uint16_t keys[NL_KEYS_MAX], before[NL_KEYS_MAX], number = 1;
    size_t at[NL_KEYS_MAX];
    unsigned outer = op->depth - 1u, open = 0, same;
    int result = 0;
    memcpy(&list, from, sizeof list);
    for (uint32_t entry = list.first; entry && result == 0; entry = nl_load32(bytes->heap + entry)) {
        const uint8_t *item = bytes->heap + entry + 4;
        nl_item_keys(op, item, number++, keys);
        for (same = 0; same < open && keys[same] == before[same];)
            same++;
        while (open > same && result == 0)
            result = nl_close_attribute(out, at[--open]);
        for (; open < outer && result == 0; open++) {
            before[open] = keys[open];
            result = nl_open_attribute(out, keys[open] | NL_ATTR_NESTED, &at[open]);
        }
        if (result == 0)
            result = nl_encode_item(op->item, keys[outer], item, bytes, out);
    }
    while (open && result == 0)
        result = nl_close_attribute(out, at[--open]);
    return result;
}

static int nl_encode(const struct nl_set *set, const uint8_t *record, const struct nl_bytes *bytes,
                     struct nl_area *out);

/* Encodes a record of a chain, with its length. */
static int nl_encode_link(const struct nl_set *set, const uint8_t *record, const struct nl_bytes *bytes,
                          struct nl_area *out)
{
    size_t at = out->size;
    int result = nl_encode(set, record, bytes, out);
    if (result == 0 && out->size - at > UINT16_MAX)
        result = -E2BIG;
    if (result < 0)
        return result;
    uint16_t length = (uint16_t)(out->size - at);
    memcpy(out->data + at, &length, 2);
    return 0;
}

static int nl_encode_side_by_side(const struct nl_op *op, const uint8_t *from, const struct nl_bytes *bytes,
                                  struct nl_area *out)
{
    const struct nl_set *set = op->item->set;
    struct nl_list list;
    memcpy(&list, from, sizeof list);
    if (op->kind == NL_K_STRUCTS && op->width) {
        uint8_t wire[8];
        uint64_t count = 0;
        for (uint32_t entry = list.first; entry; entry = nl_load32(bytes->heap + entry))
            count++;
        nl_store_int(wire, count, op->width, op->flags);
        if (nl_put(out, wire, op->width) < 0)
            return -E2BIG;
    }
    for (uint32_t entry = list.first; entry; entry = nl_load32(bytes->heap + entry)) {
        const uint8_t *record = bytes->heap + entry + 4;
        int result = op->kind == NL_K_STRUCTS ? nl_encode_struct(set, record, 1, out)
                     : op->kind == NL_K_CHAIN ? nl_encode_link(set, record, bytes, out)
                                              : nl_encode_set(set, record, bytes, out);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Whether the payload of a field is attributes alone. */
static int nl_is_nest(const struct nl_op *op, const uint8_t *from)
{
    struct nl_sub sub;
    if (op->kind != NL_K_SUBMESSAGE)
        return op->kind == NL_K_NESTED || op->kind == NL_K_RARE || op->kind == NL_K_ARRAY || op->kind == NL_K_SEQUENCE;
    memcpy(&sub, from, sizeof sub);
    return !sub.record || !(op->cases[sub.which].set->wire_size || op->cases[sub.which].set->header);
}

/* Encodes a field that is present, a container, or what is in the annex. */
static int nl_encode_op(const struct nl_op *op, const uint8_t *record, const struct nl_bytes *bytes,
                        struct nl_area *out)
{
    const uint8_t *from = record + op->offset;
    size_t at;
    int result;
    if (op->kind == NL_K_CONTAINER) {
        result = nl_open_attribute(out, op->type | NL_ATTR_NESTED, &at);
        if (result == 0)
            result = nl_encode_set(op->set, record, bytes, out);
        if (result < 0)
            return result;
        if (out->size == at + NL_ATTR_HEADER) { /* none of its fields is present */
            out->size = at;
            return 0;
        }
        return nl_close_attribute(out, at);
    }
    if (op->kind == NL_K_ANNEX) {
        uint32_t annex = nl_load32(from);
        if (!annex || !nl_present(op->set, bytes->heap + annex, op->item->bit))
            return 0;
        return nl_encode_op(op->item, bytes->heap + annex, bytes, out);
    }
    /* An address field of either family may have an op for each. */
    if ((op->code == NL_C_ADDRESS4 && from[4] != 4) || (op->code == NL_C_ADDRESS6 && from[4] != 6))
        return 0;
    if (op->family && op->family != (record[op->at] == 6 ? 6 : 4))
        return 0;
    if (op->kind == NL_K_INT && op->width)
        return nl_encode_int(op, from, out);
    if (op->kind == NL_K_REST)
        return nl_encode_value(op, from, bytes, out);
    if (op->kind == NL_K_REPEATED)
        return nl_encode_repeated(op, from, bytes, out);
    result = nl_open_attribute(out, (uint16_t)(op->type | (nl_is_nest(op, from) ? NL_ATTR_NESTED : 0)), &at);
    if (result == 0)
        result = nl_encode_value(op, from, bytes, out);
    return result < 0 ? result : nl_close_attribute(out, at);
}

static int nl_encode_set(const struct nl_set *set, const uint8_t *record, const struct nl_bytes *bytes,
                         struct nl_area *out)
{
    for (unsigned i = 0; i < set->op_count; i++) {
        const struct nl_op *op = &set->ops[i];
        if (op->kind != NL_K_CONTAINER && op->kind != NL_K_ANNEX && !nl_present(set, record, op->bit))
            continue; /* most fields of most requests */
        int result = nl_encode_op(op, record, bytes, out);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Encodes a record as a whole: as nl_decode_whole decodes it. */
static int nl_encode(const struct nl_set *set, const uint8_t *record, const struct nl_bytes *bytes, struct nl_area *out)
{
    if (set->wire_size)
        return nl_encode_struct(set, record, 0, out);
    if (set->header) {
        int result = nl_encode_struct(set->header->set, record + set->header->offset, 1, out);
        size_t padding = nl_align(out->size) - out->size;
        if (result < 0 || (result = nl_put(out, "\0\0\0", padding)) < 0)
            return result;
    }
    return nl_encode_set(set, record, bytes, out);
}

#endif
