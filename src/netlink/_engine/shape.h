/* Decoding by shape. Most messages of a kind have the same attributes, with the same lengths in the same order, and
 * differ only in values. A shape describes such a layout once: the bytes of the payload that must be equal (the
 * attributes' headers), a model with the bytes that all its records share, and moves of values from the payload to the
 * record. A payload with equal headers is decoded by these moves, without a look at sets or types.
 *
 * nl_decode decides by attribute headers alone, and a shape repeats its decisions. A layout that a shape cannot
 * describe, or that nl_decode would refuse, has no shape and is left to nl_decode. A shape checks the payload again
 * itself: other threads may have written to the memory since nl_decode read it.
 *
 * Words: a part is the outermost record of the model, or a piece of the heap; a deferred attribute is decoded by
 * itself, after the moves.
 */
#ifndef NETLINK_SHAPE_H
#define NETLINK_SHAPE_H

#include <stddef.h>

#include "plan.h"

enum {
    NL_SHAPES = 16,    /* known at one time */
    NL_SHAPE_MIN = 16, /* bytes of payload */
    NL_SHAPE_MAX = 2048,
    NL_SHAPE_MODEL = 4096, /* bytes of all parts */
    NL_SHAPE_MOVES = 255,
    NL_SHAPE_PARTS = 8,
    NL_SHAPE_DEFERRED = 40,
    NL_SHAPE_LEARN_AFTER = 4,    /* payloads without a known shape before a new one is made */
    NL_SHAPE_REPLACE_AFTER = 64, /* the same, if the new one replaces another */
};

/* The width of a move, and whether it swaps bytes. */
enum nl_move_kind {
    NL_MOVE_8,
    NL_MOVE_16,
    NL_MOVE_32,
    NL_MOVE_64,
    NL_MOVE_128,
    NL_MOVE_SWAP16,
    NL_MOVE_SWAP32,
    NL_MOVE_SWAP64,
    NL_MOVE_KINDS,
};

struct nl_move {
    uint16_t from, to; /* offset in the payload, offset in the part */
};

/* A part: the outermost record, or what lies in the heap: a rare record, an annex, an IPv6 address. */
struct nl_part {
    uint16_t model, size;  /* offset in the model, bytes */
    uint16_t parent, slot; /* if it lies in the heap: the part that refers to it, and the offset of the reference */
    uint16_t moves;        /* index of the first */
    uint16_t counts[NL_MOVE_KINDS];
};

/* A deferred attribute. If op is NULL it is unknown, for nl_add_unknown. */
struct nl_deferred {
    const struct nl_set *set;
    const struct nl_op *op;
    uint16_t part, offset; /* the record that has the field */
    uint16_t at, size;     /* its payload */
    uint16_t length, type;
    uint16_t depth; /* as in nl_decoder */
};

struct nl_shape {
    uint32_t size; /* bytes of the payload; if there is a rest, bytes before it */
    uint8_t rest;  /* a view of any length follows */
    uint8_t parts, deferred_count;
    uint8_t late;  /* how many of the deferred attributes are decoded behind the others */
    uint32_t heap; /* bytes of the parts in the heap, which lie there as in the model */
    uint32_t hits;
    uint8_t mask[NL_SHAPE_MAX], same[NL_SHAPE_MAX]; /* bits of the payload that must be equal, and their values */
    struct nl_part part[NL_SHAPE_PARTS];
    struct nl_move move[NL_SHAPE_MOVES];
    struct nl_deferred deferred[NL_SHAPE_DEFERRED];
    uint8_t model[NL_SHAPE_MODEL];
};

/* The shapes of one declaration's payloads. Empty if all zero. */
struct nl_shapes {
    uint32_t count, missed;
    uint32_t size[NL_SHAPES]; /* a copy of each size beside the others, for the cache */
    uint8_t rest[NL_SHAPES];
    struct nl_shape *known[NL_SHAPES];
};

static inline void nl_shapes_free(struct nl_shapes *all)
{
    for (unsigned i = 0; i < all->count; i++)
        free(all->known[i]);
    memset(all, 0, sizeof *all);
}

/* ---- making a shape ---- */

struct nl_shape_builder {
    struct nl_shape *shape;
    const uint8_t *start;
    unsigned moves, model;
    uint8_t part[NL_SHAPE_MOVES], kind[NL_SHAPE_MOVES];
    struct nl_move move[NL_SHAPE_MOVES];
};

/* The place of a record in the model, as nl_place is in memory. */
struct nl_model_place {
    unsigned part, offset, depth;
};

static inline uint8_t *nl_model_at(struct nl_shape_builder *d, struct nl_model_place place)
{
    return d->shape->model + d->shape->part[place.part].model + place.offset;
}

static int nl_add_part(struct nl_shape_builder *d, size_t size, struct nl_model_place parent, unsigned *part)
{
    struct nl_shape *s = d->shape;
    if (s->parts == NL_SHAPE_PARTS || size > NL_SHAPE_MODEL - d->model)
        return -1;
    *part = s->parts++;
    s->part[*part] = (struct nl_part){.model = (uint16_t)d->model,
                                      .size = (uint16_t)size,
                                      .parent = (uint16_t)parent.part,
                                      .slot = (uint16_t)parent.offset};
    memset(s->model + d->model, 0, size);
    d->model += (unsigned)size;
    return 0;
}

static int nl_add_move(struct nl_shape_builder *d, enum nl_move_kind kind, const uint8_t *from,
                       struct nl_model_place place, uint32_t to)
{
    if (d->moves == NL_SHAPE_MOVES)
        return -1;
    d->part[d->moves] = (uint8_t)place.part;
    d->kind[d->moves] = (uint8_t)kind;
    d->move[d->moves++] = (struct nl_move){(uint16_t)(from - d->start), (uint16_t)(place.offset + to)};
    return 0;
}

static int nl_add_bytes(struct nl_shape_builder *d, const uint8_t *from, uint32_t size, struct nl_model_place place,
                        uint32_t to)
{
    while (size) {
        static const enum nl_move_kind kinds[] = {NL_MOVE_8, NL_MOVE_16, NL_MOVE_32, NL_MOVE_64, NL_MOVE_128};
        unsigned k = size >= 16 ? 4 : size >= 8 ? 3 : size >= 4 ? 2 : size >= 2 ? 1 : 0;
        if (nl_add_move(d, kinds[k], from, place, to) < 0)
            return -1;
        from += 1u << k;
        to += 1u << k;
        size -= 1u << k;
    }
    return 0;
}

/* Whether all values of a field have one size, or are addresses of either one. */
static inline int nl_is_value(const struct nl_op *op)
{
    return op->code != NL_C_OTHER || op->kind == NL_K_FIXED || op->kind == NL_K_ADDRESS;
}

/* Adds a field of a size that the shape's headers tell, from an attribute or a struct. */
static int nl_add_value(struct nl_shape_builder *d, const struct nl_set *set, const struct nl_op *op,
                        const uint8_t *from, size_t size, struct nl_model_place place)
{
    uint8_t *record = nl_model_at(d, place);
    uint32_t at = op->offset;
    enum nl_move_kind kind;
    unsigned code = op->code;
    if (op->kind == NL_K_ADDRESS && !op->width)
        code = size == 4 ? NL_C_ADDRESS4 : size == 16 ? NL_C_ADDRESS6 : NL_C_OTHER;
    else if (size != (op->kind == NL_K_FIXED ? op->size : op->width))
        return -1;
    if (nl_present(set, record, op->bit)) /* a repeated attribute: the last one counts, and a shape cannot say so */
        return -1;
    switch (code) {
    case NL_C_8:
        kind = NL_MOVE_8;
        break;
    case NL_C_16:
        kind = NL_MOVE_16;
        break;
    case NL_C_32:
        kind = NL_MOVE_32;
        break;
    case NL_C_64:
        kind = NL_MOVE_64;
        break;
    case NL_C_SWAP16:
        kind = NL_MOVE_SWAP16;
        break;
    case NL_C_SWAP32:
        kind = NL_MOVE_SWAP32;
        break;
    case NL_C_SWAP64:
        kind = NL_MOVE_SWAP64;
        break;
    case NL_C_128:
        kind = NL_MOVE_128;
        break;
    case NL_C_ADDRESS4:
        record[at + 4] = 4;
        kind = NL_MOVE_32;
        break;
    case NL_C_ADDRESS6:
        record[at + 4] = 6;
        nl_set_present(set, record, op->bit);
        place.offset += at;
        if (nl_add_part(d, 16, place, &place.part) < 0)
            return -1;
        place.offset = 0;
        return nl_add_move(d, NL_MOVE_128, from, place, 0);
    default:
        if (op->kind != NL_K_FIXED)
            return -1;
        nl_set_present(set, record, op->bit);
        return nl_add_bytes(d, from, op->size, place, at);
    }
    nl_set_present(set, record, op->bit);
    return nl_add_move(d, kind, from, place, at);
}

static int nl_add_deferred(struct nl_shape_builder *d, const struct nl_set *set, const struct nl_op *op,
                           const struct nl_attribute *a, struct nl_model_place place);

/* As nl_decode_struct. */
static int nl_add_struct(struct nl_shape_builder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                         struct nl_model_place place)
{
    size_t bytes;
    unsigned same = nl_struct_same(set, size, &bytes);
    if (same) {
        nl_set_first(set, nl_model_at(d, place), same);
        if (nl_add_bytes(d, payload, (uint32_t)bytes, place, 0) < 0)
            return -1;
    }
    for (unsigned i = same; i < set->op_count; i++) {
        const struct nl_op *op = &set->ops[i];
        struct nl_model_place inside = {place.part, place.offset + op->offset, place.depth};
        if (op->at + nl_struct_least(op) > size)
            continue;
        if (op->kind == NL_K_STRUCT) {
            nl_set_present(set, nl_model_at(d, place), op->bit);
            if (nl_add_struct(d, op->set, payload + op->at, size - op->at, inside) < 0)
                return -1;
        } else if (op->kind == NL_K_ADDRESS_BY) {
            struct nl_attribute a = {.payload = payload + op->at, .size = op->width};
            if (nl_add_deferred(d, set, op, &a, place) < 0)
                return -1;
        } else if (nl_add_value(d, set, op, payload + op->at, nl_struct_width(op), place) < 0) {
            return -1;
        }
    }
    return 0;
}

static int nl_add_deferred(struct nl_shape_builder *d, const struct nl_set *set, const struct nl_op *op,
                           const struct nl_attribute *a, struct nl_model_place place)
{
    struct nl_shape *s = d->shape;
    if (!op && set->narrow)
        return 0;
    if (s->deferred_count == NL_SHAPE_DEFERRED)
        return -1;
    if (op && (op->kind == NL_K_STRING || op->kind == NL_K_BINARY || op->kind == NL_K_ADDRESS_BY))
        nl_set_present(set, nl_model_at(d, place), op->bit);
    s->deferred[s->deferred_count++] = (struct nl_deferred){.set = set,
                                                            .op = op,
                                                            .part = (uint16_t)place.part,
                                                            .offset = (uint16_t)place.offset,
                                                            .at = (uint16_t)(a->payload - d->start),
                                                            .size = (uint16_t)a->size,
                                                            .length = a->length,
                                                            .type = a->type,
                                                            .depth = (uint16_t)place.depth};
    return 0;
}

static int nl_add_set(struct nl_shape_builder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                      struct nl_model_place place, int outermost);

/* The part of an annex. place: that of the reference to it. */
static int nl_annex_part(struct nl_shape_builder *d, const struct nl_set *annex, struct nl_model_place place,
                         unsigned *part)
{
    for (unsigned i = 1; i < d->shape->parts; i++) {
        if (d->shape->part[i].parent == place.part && d->shape->part[i].slot == place.offset) {
            *part = i;
            return 0;
        }
    }
    return nl_add_part(d, annex->record_size + 4, place, part);
}

static int nl_add_attribute(struct nl_shape_builder *d, const struct nl_set *set, const struct nl_op *op,
                            const struct nl_attribute *a, struct nl_model_place place)
{
    struct nl_model_place inside = place;
    if (op->code == NL_C_LATE) {
        if (op->kind == NL_K_ANNEX)
            return -1;
        if (op->kind != NL_K_REPEATED) {
            if (nl_present(set, nl_model_at(d, place), op->bit))
                return -1;
            nl_set_present(set, nl_model_at(d, place), op->bit);
        }
        d->shape->late++;
        return nl_add_deferred(d, set, op, a, place);
    }
    switch (op->kind) {
    case NL_K_CONTAINER:
        return nl_add_set(d, op->set, a->payload, a->size, place, 0);
    case NL_K_ANNEX:
        inside.offset += op->offset;
        if (nl_annex_part(d, op->set, inside, &inside.part) < 0)
            return -1;
        inside.offset = 0;
        return nl_add_attribute(d, op->set, op->item, a, inside);
    case NL_K_STRUCT:
    case NL_K_NESTED:
    case NL_K_RARE:
        if (nl_present(set, nl_model_at(d, place), op->bit))
            return -1;
        nl_set_present(set, nl_model_at(d, place), op->bit);
        inside.offset += op->offset;
        if (op->kind == NL_K_RARE) {
            if (nl_add_part(d, op->set->record_size + 4, inside, &inside.part) < 0)
                return -1;
            inside.offset = 0;
            inside.depth++; /* less than NL_DEPTH_MAX: there are few parts */
        }
        return op->kind == NL_K_STRUCT ? nl_add_struct(d, op->set, a->payload, a->size, inside)
                                       : nl_add_set(d, op->set, a->payload, a->size, inside, 0);
    case NL_K_SKIP:
        return 0;
    case NL_K_ARRAY:
    case NL_K_STRUCTS:
    case NL_K_SEQUENCE:
    case NL_K_CHAIN:
        if (nl_present(set, nl_model_at(d, place), op->bit))
            return -1;
        nl_set_present(set, nl_model_at(d, place), op->bit);
        return nl_add_deferred(d, set, op, a, place);
    default:
        if (op->kind == NL_K_ADDRESS_BY && a->size != op->width)
            return -1;
        return nl_is_value(op) ? nl_add_value(d, set, op, a->payload, a->size, place)
                               : nl_add_deferred(d, set, op, a, place);
    }
}

/* As nl_decode_set. 1: the shape ends before a view. */
static int nl_add_set(struct nl_shape_builder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                      struct nl_model_place place, int outermost)
{
    struct nl_cursor c = {payload, size};
    struct nl_attribute a;
    enum nl_step step;
    const uint8_t *expected = payload;
    uint64_t containers = 0; /* as in nl_decode_set */
    while ((step = nl_next_attribute(&c, &a)) == NL_ITEM) {
        const uint8_t *header = a.payload - NL_ATTR_HEADER;
        unsigned type = a.type & NL_ATTR_TYPE;
        const struct nl_op *op = type < set->limit ? set->index[type] : NULL;
        if (header != expected) /* attributes of length 0 before this one */
            return -1;
        if (op && op->kind == NL_K_VIEW) {
            d->shape->size = (uint32_t)(header - d->start);
            return outermost && !c.left ? 1 : -1;
        }
        if ((size_t)(a.payload - d->start) + a.size > NL_SHAPE_MAX)
            return -1;
        memcpy(d->shape->same + (header - d->start), header, NL_ATTR_HEADER);
        memset(d->shape->mask + (header - d->start), 0xff, NL_ATTR_HEADER);
        expected = c.at;
        if (op && op->kind == NL_K_CONTAINER) {
            if (containers >> (type & 63) & 1)
                return -1;
            containers |= UINT64_C(1) << (type & 63);
        }
        if ((op ? nl_add_attribute(d, set, op, &a, place) : nl_add_deferred(d, set, NULL, &a, place)) < 0)
            return -1;
    }
    return step == NL_END && expected == c.at ? 0 : -1;
}

/* Sorts the moves by part and, within a part, by kind. */
static void nl_sort_moves(struct nl_shape_builder *d)
{
    struct nl_shape *s = d->shape;
    uint16_t next[NL_SHAPE_PARTS][NL_MOVE_KINDS], moves = 0;
    for (unsigned i = 0; i < d->moves; i++)
        s->part[d->part[i]].counts[d->kind[i]]++;
    for (unsigned part = 0; part < s->parts; part++) {
        s->part[part].moves = moves;
        for (unsigned kind = 0; kind < NL_MOVE_KINDS; kind++) {
            next[part][kind] = moves;
            moves = (uint16_t)(moves + s->part[part].counts[kind]);
        }
    }
    for (unsigned i = 0; i < d->moves; i++)
        s->move[next[d->part[i]][d->kind[i]]++] = d->move[i];
}

static int nl_build_shape(struct nl_shape_builder *d, const struct nl_set *set, size_t size)
{
    struct nl_shape *s = d->shape;
    struct nl_model_place place = {0, 0, 0};
    unsigned outermost;
    size_t header = 0;
    if (set->rest || nl_add_part(d, set->record_size + 4, place, &outermost) < 0)
        return -1;
    if (set->header) {
        struct nl_model_place inside = {0, set->header->offset, 0};
        header = nl_align(set->header->set->wire_size);
        if (size < set->header->set->wire_size)
            return -1;
        if (header > size)
            header = size;
        nl_set_present(set, s->model, set->header->bit);
        if (nl_add_struct(d, set->header->set, d->start, set->header->set->wire_size, inside) < 0)
            return -1;
    }
    return nl_add_set(d, set, d->start + header, size - header, place, 1);
}

/* The shape of a payload; NULL if it has none or there is no memory. */
static struct nl_shape *nl_shape_new(const struct nl_set *set, const uint8_t *payload, size_t size)
{
    struct nl_shape *s = (struct nl_shape *)malloc(sizeof *s);
    if (!s)
        return NULL;
    size_t known = size < NL_SHAPE_MAX ? size : NL_SHAPE_MAX;
    memset(s, 0, offsetof(struct nl_shape, mask));
    memset(s->mask, 0, known);
    memset(s->same, 0, known);
    s->size = (uint32_t)size;
    struct nl_shape_builder d;
    d.shape = s;
    d.start = payload;
    d.moves = d.model = 0;
    int result = nl_build_shape(&d, set, size);
    if (result < 0 || s->size < NL_SHAPE_MIN || s->size > NL_SHAPE_MAX) {
        free(s);
        return NULL;
    }
    s->rest = result == 1;
    s->heap = d.model - s->part[0].size;
    nl_sort_moves(&d);
    return s;
}

/* ---- using a shape ---- */

/* 16 bytes, compared at once if the machine can. */
typedef uint64_t nl_pair __attribute__((vector_size(16)));

static inline nl_pair nl_load_pair(const void *p)
{
    nl_pair v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The bits of 16 bytes that must be equal and are not. */
static inline nl_pair nl_shape_differs(const struct nl_shape *s, const uint8_t *payload, size_t at)
{
    return (nl_load_pair(payload + at) ^ nl_load_pair(s->same + at)) & nl_load_pair(s->mask + at);
}

/* Whether a payload has the headers of the shape. The payload is no shorter than the shape. */
static inline int nl_shape_fits(const struct nl_shape *s, const uint8_t *payload)
{
    size_t at = 0, last = s->size - 16;
    for (; at + 48 <= last; at += 64) {
        nl_pair other = nl_shape_differs(s, payload, at) | nl_shape_differs(s, payload, at + 16) |
                        nl_shape_differs(s, payload, at + 32) | nl_shape_differs(s, payload, at + 48);
        if (other[0] | other[1])
            return 0;
    }
    nl_pair other = nl_shape_differs(s, payload, last); /* overlapping: no read goes beyond the end */
    for (; at < last; at += 16)
        other |= nl_shape_differs(s, payload, at);
    return !(other[0] | other[1]);
}

static inline void nl_apply_moves(const struct nl_shape *s, const struct nl_part *part, const uint8_t *payload,
                                  uint8_t *record)
{
    const struct nl_move *m = &s->move[part->moves];
    for (unsigned n = part->counts[NL_MOVE_8]; n; n--, m++)
        record[m->to] = payload[m->from];
    for (unsigned n = part->counts[NL_MOVE_16]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 2);
    for (unsigned n = part->counts[NL_MOVE_32]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 4);
    for (unsigned n = part->counts[NL_MOVE_64]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 8);
    for (unsigned n = part->counts[NL_MOVE_128]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 16);
    for (unsigned n = part->counts[NL_MOVE_SWAP16]; n; n--, m++) {
        uint16_t v = __builtin_bswap16(nl_load16(payload + m->from));
        memcpy(record + m->to, &v, 2);
    }
    for (unsigned n = part->counts[NL_MOVE_SWAP32]; n; n--, m++) {
        uint32_t v = __builtin_bswap32(nl_load32(payload + m->from));
        memcpy(record + m->to, &v, 4);
    }
    for (unsigned n = part->counts[NL_MOVE_SWAP64]; n; n--, m++) {
        uint64_t v = __builtin_bswap64(nl_load64(payload + m->from));
        memcpy(record + m->to, &v, 8);
    }
}

/* Decodes the rest of a payload, a view. -1 if it is anything else. */
static inline int nl_shape_rest(const struct nl_shape *s, const struct nl_set *set, const uint8_t *payload, size_t size,
                                uint8_t *record, struct nl_decoder *d)
{
    struct nl_cursor c = {payload + s->size, size - s->size};
    struct nl_attribute a;
    struct nl_ref ref;
    if (nl_next_attribute(&c, &a) != NL_ITEM || c.left || (a.type & NL_ATTR_TYPE) >= set->limit)
        return -1;
    const struct nl_op *op = set->index[a.type & NL_ATTR_TYPE];
    if (!op || op->kind != NL_K_VIEW || nl_view_bytes(d, a.payload, a.size, &ref) < 0)
        return -1;
    memcpy(record + op->offset, &ref, sizeof ref);
    nl_set_present(set, record, op->bit);
    return 0;
}

/* Decodes a deferred attribute. at: offsets of the parts in the heap. */
static int nl_shape_decode(const struct nl_shape *s, const struct nl_deferred *deferred, const uint8_t *payload,
                           uint8_t *record, const uint32_t *at, struct nl_decoder *d)
{
    const struct nl_op *op = deferred->op;
    uint32_t part = at[deferred->part];
    struct nl_attribute a = {
        .length = deferred->length, .type = deferred->type, .payload = payload + deferred->at, .size = deferred->size};
    struct nl_place place = {deferred->part ? NULL : record, part + deferred->offset, part,
                             part + s->part[deferred->part].size - 4};
    d->depth = deferred->depth;
    if (!op)
        return nl_add_unknown(d, deferred->set, &a, &place);
    return op->code == NL_C_LATE ? nl_decode_late(d, deferred->set, op, &a, &place)
                                 : nl_decode_value(d, deferred->set, op, &a, &place);
}

/* Makes the parts in the heap and decodes the deferred attributes. */
static int nl_shape_finish(const struct nl_shape *s, const struct nl_set *set, const uint8_t *payload, size_t size,
                           uint8_t *record, struct nl_decoder *d)
{
    uint32_t at[NL_SHAPE_PARTS] = {0};
    if (s->heap) {
        uint32_t first = nl_heap_alloc(d->heap, s->heap);
        if (!first)
            return -1;
        memcpy(d->heap->data + first, s->model + s->part[1].model, s->heap);
        for (unsigned i = 1; i < s->parts; i++) {
            const struct nl_part *part = &s->part[i];
            at[i] = first + part->model - s->part[1].model;
            uint8_t *to = d->heap->data + at[i];
            if (part->size == 16 && part->counts[NL_MOVE_128]) /* an address */
                memcpy(to, payload + s->move[part->moves].from, 16);
            else
                nl_apply_moves(s, part, payload, to);
            memcpy((part->parent ? d->heap->data + at[part->parent] : record) + part->slot, &at[i], 4);
        }
    }
    for (unsigned i = 0; i < s->deferred_count; i++) {
        const struct nl_deferred *deferred = &s->deferred[i];
        const struct nl_op *op = deferred->op;
        const uint8_t *from = payload + deferred->at;
        if (op && op->kind == NL_K_ADDRESS_BY) { /* its family is there: a move of the same part */
            nl_decode_address_by(op, from,
                                 (deferred->part ? d->heap->data + at[deferred->part] : record) + deferred->offset);
            continue;
        }
        if (op && (op->kind == NL_K_STRING || op->kind == NL_K_BINARY)) { /* the model has its presence bit */
            struct nl_ref ref;
            if (nl_heap_copy(d, from, nl_text_size(op, from, deferred->size), &ref) < 0)
                return -1;
            uint8_t *base = deferred->part ? d->heap->data + at[deferred->part] : record;
            memcpy(base + deferred->offset + op->offset, &ref, sizeof ref);
            continue;
        }
        if (!(op && op->code == NL_C_LATE) && nl_shape_decode(s, deferred, payload, record, at, d) < 0)
            return -1;
    }
    for (unsigned i = 0, left = s->late; left; i++) {
        const struct nl_deferred *deferred = &s->deferred[i];
        if (!deferred->op || deferred->op->code != NL_C_LATE)
            continue;
        if (nl_shape_decode(s, deferred, payload, record, at, d) < 0)
            return -1;
        left--;
    }
    return s->rest ? nl_shape_rest(s, set, payload, size, record, d) : 0;
}

/* Counts a payload without a known shape, and makes a shape of it if there have been enough. */
static void nl_shapes_learn(struct nl_shapes *all, const struct nl_set *set, const uint8_t *payload, size_t size)
{
    if (++all->missed < (all->count < NL_SHAPES ? NL_SHAPE_LEARN_AFTER : NL_SHAPE_REPLACE_AFTER))
        return;
    all->missed = 0;
    struct nl_shape *s = nl_shape_new(set, payload, size);
    if (!s)
        return;
    unsigned place = all->count;
    if (place < NL_SHAPES) {
        all->count++;
    } else {
        place = 0;
        for (unsigned i = 1; i < NL_SHAPES; i++)
            if (all->known[i]->hits < all->known[place]->hits)
                place = i;
        free(all->known[place]);
        for (unsigned i = 0; i < NL_SHAPES; i++)
            if (i != place)
                all->known[i]->hits /= 2;
    }
    all->known[place] = s;
    all->size[place] = s->size;
    all->rest[place] = s->rest;
}

/* As nl_decode, by a known shape if one fits. The record's memory need not be zeroed. */
static inline int nl_decode_shaped(struct nl_shapes *all, const struct nl_set *set, const uint8_t *payload, size_t size,
                                   uint8_t *record, struct nl_area *heap, struct nl_area *datagrams,
                                   struct nl_fault *fault)
{
    for (unsigned i = 0; i < all->count; i++) {
        if (all->size[i] != size && !(all->rest[i] && size > all->size[i]))
            continue;
        struct nl_shape *s = all->known[i];
        if (!nl_shape_fits(s, payload))
            continue;
        s->hits++;
        memcpy(record, s->model, s->part[0].size);
        nl_apply_moves(s, &s->part[0], payload, record);
        if (s->parts == 1 && !s->deferred_count && !s->rest)
            return 0;
        size_t heap_size = heap->size, datagrams_size = datagrams->size;
        struct nl_decoder d = {payload, heap, datagrams, fault, 0, 0, NULL};
        if (nl_shape_finish(s, set, payload, size, record, &d) == 0)
            return 0;
        heap->size = heap_size; /* a fault, attributes that come again, or another rest: nl_decode tells */
        datagrams->size = datagrams_size;
        break;
    }
    memset(record, 0, set->record_size + 4);
    int result = nl_decode(set, payload, size, record, heap, datagrams, fault);
    if (result == 0)
        nl_shapes_learn(all, set, payload, size);
    return result;
}

#endif
