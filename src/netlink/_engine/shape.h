/* Decoding by shape. Most messages of a kind have the same attributes, with the same lengths in the same order, and
 * differ only in values. A shape describes such a layout once: the bytes of the payload that must be equal (the
 * attributes' headers), a model with the bytes that all its records share, and moves of values from the payload to the
 * record. A payload with equal headers is decoded by these moves, without a look at sets or types.
 *
 * nl_decode decides by attribute headers alone, and a shape repeats its decisions. A layout that a shape cannot
 * describe, or that nl_decode would refuse, has no shape and is left to nl_decode. A shape checks the payload again
 * itself: other threads may have written to the memory since nl_decode read it.
 *
 * Words: a part is the outermost record of the model, or a piece of the heap; the parts in the heap lie side by side
 * there as in the model. A reference is an offset in one part that leads to another. A deferred attribute is decoded
 * by itself, after the moves.
 */
#ifndef NETLINK_SHAPE_H
#define NETLINK_SHAPE_H

#include <stddef.h>

#include "plan.h"

enum {
    NL_SHAPES = 16,   /* known at one time */
    NL_SHAPE_MIN = 8, /* bytes of payload */
    NL_SHAPE_MAX = 2048,
    NL_SHAPE_MODEL = 4096, /* bytes of all parts */
    NL_SHAPE_MOVES = 255,
    NL_SHAPE_PARTS = 80,
    NL_SHAPE_REFERENCES = 160,
    NL_SHAPE_DEFERRED = 40,
    NL_SHAPE_WAITING = 40,       /* submessages, for the fields that choose their cases */
    NL_SHAPE_BYTES = 64,         /* of a field of any bytes that is moved */
    NL_SHAPE_LEARN_AFTER = 4,    /* payloads without a known shape before a new one is made */
    NL_SHAPE_REPLACE_AFTER = 64, /* the same, if the new one replaces another */
    NL_SHAPE_FAILED_MAX = 8,     /* how often that number doubles while payloads have no shape */
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
    uint16_t from, to; /* offset in the payload, offset in the outermost record or in the parts in the heap */
};

/* Moves to the outermost record, or to the heap. */
struct nl_moves {
    uint16_t first, swaps, counts[NL_MOVE_KINDS]; /* swaps: how many swap bytes */
};

struct nl_reference {
    uint16_t at, to; /* at: as the `to` of a move; to: offset in the parts in the heap */
};

/* A deferred attribute. If op is NULL it is unknown, for nl_add_unknown. */
struct nl_deferred {
    const struct nl_set *set;
    const struct nl_op *op;
    uint16_t in_heap;
    uint16_t offset, outer, unknown; /* as in nl_place, in the outermost record or in the parts in the heap */
    uint16_t at, size;               /* its payload */
    uint16_t length, type;
    uint16_t depth; /* as in nl_decoder */
};

struct nl_shape {
    uint32_t size; /* bytes of the payload; if there is a rest, bytes before it */
    uint8_t rest;  /* a view of any length follows */
    uint8_t plain; /* there are only moves to the outermost record */
    uint8_t moved; /* the parts in the heap have no bytes but those that are moved there */
    uint8_t deferred_count;
    uint8_t late;          /* how many of the deferred attributes are decoded behind the others */
    uint16_t record, heap; /* bytes of the outermost record, and of the parts in the heap, which follow in the model */
    uint16_t in_record, references; /* how many references are in the outermost record, and in all */
    uint32_t hits;
    struct nl_moves to_record, to_heap;
    uint8_t mask[NL_SHAPE_MAX], same[NL_SHAPE_MAX]; /* bits of the payload that must be equal, and their values */
    struct nl_reference reference[NL_SHAPE_REFERENCES];
    struct nl_move move[NL_SHAPE_MOVES];
    struct nl_deferred deferred[NL_SHAPE_DEFERRED];
    uint8_t model[NL_SHAPE_MODEL];
};

/* The shapes of one declaration's payloads. Empty if all zero. */
struct nl_shapes {
    uint32_t count, missed, failed; /* failed: payloads that have no shape, since the last one that has */
    uint32_t size[NL_SHAPES];       /* a copy of each size beside the others, for the cache */
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

/* The place of a record in the model, as nl_place is in memory. */
struct nl_model_place {
    unsigned part, offset, depth;
};

/* head: bytes before its record. text: of the payload, if the part has these, which are the same in all payloads. */
struct nl_part {
    uint16_t model, size, head, text;
};

struct nl_waiting {
    const struct nl_set *set;
    const struct nl_op *op;
    struct nl_attribute a;
    struct nl_model_place place;
};

struct nl_shape_builder {
    struct nl_shape *shape;
    const uint8_t *start;
    unsigned moves, model, parts, waiting;
    struct nl_part part[NL_SHAPE_PARTS];
    uint8_t kind[NL_SHAPE_MOVES];
    struct nl_move move[NL_SHAPE_MOVES];                /* to: in the model */
    struct nl_reference reference[NL_SHAPE_REFERENCES]; /* at: in the model; to: the number of a part */
    struct nl_waiting wait[NL_SHAPE_WAITING];
};

/* The offset of a place in the model. */
static inline unsigned nl_model_offset(const struct nl_shape_builder *d, struct nl_model_place place)
{
    return d->part[place.part].model + place.offset;
}

static inline uint8_t *nl_model_at(struct nl_shape_builder *d, struct nl_model_place place)
{
    return d->shape->model + nl_model_offset(d, place);
}

/* The reference at a place; NULL if there is none. */
static struct nl_reference *nl_reference_at(struct nl_shape_builder *d, struct nl_model_place place)
{
    unsigned at = nl_model_offset(d, place);
    for (unsigned i = 0; i < d->shape->references; i++)
        if (d->reference[i].at == at)
            return &d->reference[i];
    return NULL;
}

/* Makes a place refer to a part. */
static int nl_refer(struct nl_shape_builder *d, struct nl_model_place place, unsigned part)
{
    struct nl_reference *known = nl_reference_at(d, place);
    if (known) {
        known->to = (uint16_t)part;
        return 0;
    }
    if (d->shape->references == NL_SHAPE_REFERENCES)
        return -1;
    d->reference[d->shape->references++] = (struct nl_reference){(uint16_t)nl_model_offset(d, place), (uint16_t)part};
    return 0;
}

static int nl_add_part(struct nl_shape_builder *d, size_t size, size_t head, unsigned *part)
{
    if (d->parts == NL_SHAPE_PARTS || size > NL_SHAPE_MODEL - d->model)
        return -1;
    *part = d->parts++;
    d->part[*part] = (struct nl_part){.model = (uint16_t)d->model, .size = (uint16_t)size, .head = (uint16_t)head};
    memset(d->shape->model + d->model, 0, size);
    d->model += (unsigned)size;
    return 0;
}

/* Adds a part with a record in the heap, and the reference to it at a place, which becomes that of the record. head:
 * bytes before the record. */
static int nl_add_record(struct nl_shape_builder *d, const struct nl_set *set, size_t head,
                         struct nl_model_place *place)
{
    unsigned part;
    if (place->depth == NL_DEPTH_MAX || nl_add_part(d, head + set->record_size + 4, head, &part) < 0 ||
        nl_refer(d, *place, part) < 0)
        return -1;
    d->shape->moved = 0;
    *place = (struct nl_model_place){part, (unsigned)head, place->depth + 1};
    return 0;
}

static int nl_add_move(struct nl_shape_builder *d, enum nl_move_kind kind, const uint8_t *from,
                       struct nl_model_place place, uint32_t to)
{
    if (d->moves == NL_SHAPE_MOVES)
        return -1;
    d->kind[d->moves] = (uint8_t)kind;
    d->move[d->moves++] = (struct nl_move){(uint16_t)(from - d->start), (uint16_t)(nl_model_offset(d, place) + to)};
    return 0;
}

/* Moves of some bytes, of which the last may overlap the one before. */
static int nl_add_bytes(struct nl_shape_builder *d, const uint8_t *from, uint32_t size, struct nl_model_place place,
                        uint32_t to)
{
    static const enum nl_move_kind kinds[] = {NL_MOVE_8, NL_MOVE_16, NL_MOVE_32, NL_MOVE_64, NL_MOVE_128};
    unsigned k = size >= 16 ? 4 : size >= 8 ? 3 : size >= 4 ? 2 : size >= 2 ? 1 : 0;
    for (uint32_t at = 0, width = 1u << k; at < size; at += width) {
        if (at + width > size)
            at = size - width;
        if (nl_add_move(d, kinds[k], from + at, place, to + at) < 0)
            return -1;
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
    unsigned code = op->code, part;
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
        return nl_add_part(d, 16, 0, &part) < 0 || nl_refer(d, place, part) < 0
                   ? -1
                   : nl_add_move(d, NL_MOVE_128, from, (struct nl_model_place){part, 0, place.depth}, 0);
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
    const struct nl_part *part = &d->part[place.part];
    unsigned base = part->model - (place.part ? d->part[0].size : 0);
    s->late += op && op->code == NL_C_LATE;
    s->deferred[s->deferred_count++] = (struct nl_deferred){.set = set,
                                                            .op = op,
                                                            .in_heap = place.part > 0,
                                                            .offset = (uint16_t)(base + place.offset),
                                                            .outer = (uint16_t)(base + part->head),
                                                            .unknown = (uint16_t)(base + part->size - 4),
                                                            .at = (uint16_t)(a->payload - d->start),
                                                            .size = (uint16_t)a->size,
                                                            .length = a->length,
                                                            .type = a->type,
                                                            .depth = (uint16_t)place.depth};
    return 0;
}

/* Adds a field of some bytes, which are moved to a part of their own. */
static int nl_add_binary(struct nl_shape_builder *d, const struct nl_set *set, const struct nl_op *op,
                         const struct nl_attribute *a, struct nl_model_place place)
{
    uint32_t size = (uint32_t)a->size;
    unsigned part;
    if (size > NL_SHAPE_BYTES)
        return nl_add_deferred(d, set, op, a, place);
    if (nl_present(set, nl_model_at(d, place), op->bit))
        return -1;
    nl_set_present(set, nl_model_at(d, place), op->bit);
    place.offset += op->offset;
    memcpy(nl_model_at(d, place) + offsetof(struct nl_ref, size), &size, 4);
    if (!size)
        return 0;
    if (nl_add_part(d, size, 0, &part) < 0 || nl_refer(d, place, part) < 0)
        return -1;
    return nl_add_bytes(d, a->payload, size, (struct nl_model_place){part, 0, place.depth}, 0);
}

static int nl_add_set(struct nl_shape_builder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                      struct nl_model_place place, int outermost);

static int nl_add_whole(struct nl_shape_builder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                        struct nl_model_place place, int outermost);

/* Adds an item of a list of records. keys: as in nl_decode_item. */
static int nl_add_item(struct nl_shape_builder *d, const struct nl_op *op, const struct nl_attribute *a,
                       struct nl_model_place place, const uint16_t *keys)
{
    const struct nl_set *set = op->item->set;
    struct nl_model_place last = place, item;
    place.offset += op->offset + offsetof(struct nl_list, first);
    last.offset += op->offset + offsetof(struct nl_list, last);
    const struct nl_reference *before = nl_reference_at(d, last);
    item =
        before ? (struct nl_model_place){before->to, 0, place.depth} : place; /* an entry begins with the next one's */
    if (nl_add_record(d, set, 4, &item) < 0 || nl_refer(d, last, item.part) < 0)
        return -1;
    for (unsigned level = 0; keys && level < op->depth; level++) {
        const struct nl_op *key = set->keys[level];
        if (key) {
            memcpy(nl_model_at(d, item) + key->offset, &keys[level], 2);
            nl_set_present(set, nl_model_at(d, item), key->bit);
        }
    }
    return nl_add_set(d, set, a->payload, a->size, item, 0);
}

/* Adds the header of an attribute, which payloads of the shape have. */
static int nl_add_header(struct nl_shape_builder *d, const struct nl_attribute *a)
{
    const uint8_t *header = a->payload - NL_ATTR_HEADER;
    if ((size_t)(a->payload - d->start) + a->size > NL_SHAPE_MAX)
        return -1;
    memcpy(d->shape->same + (header - d->start), header, NL_ATTR_HEADER);
    memset(d->shape->mask + (header - d->start), 0xff, NL_ATTR_HEADER);
    return 0;
}

/* As nl_decode_array. */
static int nl_add_array(struct nl_shape_builder *d, const struct nl_op *op, const uint8_t *payload, size_t size,
                        struct nl_model_place place, unsigned level, uint16_t *keys)
{
    struct nl_cursor c = {payload, size};
    struct nl_attribute a;
    enum nl_step step;
    const uint8_t *expected = payload;
    while ((step = nl_next_attribute(&c, &a)) == NL_ITEM) {
        if (a.payload - NL_ATTR_HEADER != expected || nl_add_header(d, &a) < 0)
            return -1;
        expected = c.at;
        keys[level] = a.type & NL_ATTR_TYPE;
        if ((level + 1 < op->depth ? nl_add_array(d, op, a.payload, a.size, place, level + 1, keys)
                                   : nl_add_item(d, op, &a, place, keys)) < 0)
            return -1;
    }
    return step == NL_END && expected == c.at ? 0 : -1;
}

/* How far a builder has come, to go back there. */
struct nl_mark {
    unsigned moves, model, parts, waiting;
    uint16_t references;
    uint8_t deferred, late;
};

static struct nl_mark nl_mark(const struct nl_shape_builder *d)
{
    const struct nl_shape *s = d->shape;
    return (struct nl_mark){d->moves, d->model, d->parts, d->waiting, s->references, s->deferred_count, s->late};
}

/* Takes back what has been added since the mark, the content of an attribute. */
static void nl_back_to(struct nl_shape_builder *d, const struct nl_mark *mark, const struct nl_attribute *a)
{
    struct nl_shape *s = d->shape;
    size_t at = (size_t)(a->payload - d->start);
    d->moves = mark->moves, d->model = mark->model, d->parts = mark->parts, d->waiting = mark->waiting;
    s->references = mark->references, s->deferred_count = mark->deferred, s->late = mark->late;
    memset(s->mask + at, 0, a->size);
    memset(s->same + at, 0, a->size);
}

/* Adds an array of records. One that is too long for a shape, or that nl_decode_array refuses, is deferred. */
static int nl_add_records(struct nl_shape_builder *d, const struct nl_set *set, const struct nl_op *op,
                          const struct nl_attribute *a, struct nl_model_place place)
{
    struct nl_mark mark = nl_mark(d);
    uint16_t keys[NL_KEYS_MAX];
    if (nl_add_array(d, op, a->payload, a->size, place, 0, keys) == 0)
        return 0;
    nl_back_to(d, &mark, a);
    return nl_add_deferred(d, set, op, a, place);
}

/* Adds a text of the payload that all payloads of the shape have, and makes a place refer to it. */
static int nl_add_text(struct nl_shape_builder *d, unsigned at, size_t size, struct nl_model_place place)
{
    const uint8_t *text = d->shape->same + at;
    unsigned part;
    for (part = 1; part < d->parts; part++)
        if (d->part[part].text && d->part[part].size == size &&
            !memcmp(d->shape->model + d->part[part].model, text, size))
            return nl_refer(d, place, part);
    if (nl_add_part(d, size, 0, &part) < 0)
        return -1;
    d->shape->moved = 0;
    d->part[part].text = 1;
    memcpy(d->shape->model + d->part[part].model, text, size);
    return nl_refer(d, place, part);
}

/* The case of a submessage that a text or a number of the payload chooses; NULL if there is none that a shape has. */
static const struct nl_case *nl_find_case(const struct nl_op *op, const uint8_t *text, size_t size, uint64_t number)
{
    for (unsigned i = 0; i < op->case_count; i++) {
        const struct nl_case *c = &op->cases[i];
        if (text ? c->text && size && c->text_size == size && !memcmp(c->text, text, size)
                 : !c->text && c->number == number)
            return c->set->asks || c->set->rest ? NULL : c;
    }
    return NULL;
}

/* Adds the record of a submessage. */
static int nl_add_case(struct nl_shape_builder *d, const struct nl_waiting *w, const struct nl_case *chosen)
{
    struct nl_model_place record = w->place;
    uint32_t which = (uint32_t)(chosen - w->op->cases);
    record.offset += w->op->offset;
    memcpy(nl_model_at(d, record) + offsetof(struct nl_sub, which), &which, 4);
    record.offset += offsetof(struct nl_sub, record);
    return nl_add_record(d, chosen->set, 0, &record) < 0
               ? -1
               : nl_add_whole(d, chosen->set, w->a.payload, w->a.size, record, 0);
}

/* Adds a submessage whose case a number in the header of the payload chooses: payloads of the shape have this number.
 * Where its content has no shape it is deferred. */
static int nl_add_case_by_header(struct nl_shape_builder *d, const struct nl_waiting *w)
{
    const struct nl_op *by = w->op->sibling, *header = w->set->header;
    if (!w->op->outer && header && !w->place.part && !w->place.offset && by->kind == NL_K_INT &&
        by >= header->set->ops && by < header->set->ops + header->set->op_count) {
        uint64_t number = nl_load_int(d->start + by->at, by->width, by->flags);
        const struct nl_case *chosen = nl_find_case(w->op, NULL, 0, number);
        struct nl_mark mark = nl_mark(d);
        if (chosen && nl_add_case(d, w, chosen) == 0) {
            memcpy(d->shape->same + by->at, d->start + by->at, by->width);
            memset(d->shape->mask + by->at, 0xff, by->width);
            return 0;
        }
        nl_back_to(d, &mark, &w->a);
    }
    return nl_add_deferred(d, w->set, w->op, &w->a, w->place);
}

/* Adds a submessage. If a text beside it chooses a case, payloads of the shape have this text. */
static int nl_add_submessage(struct nl_shape_builder *d, const struct nl_waiting *w)
{
    struct nl_shape *s = d->shape;
    const struct nl_op *op = w->op, *by = op->sibling;
    struct nl_model_place place = w->place, name = place;
    unsigned base = nl_model_offset(d, place) - (place.part ? d->part[0].size : 0), times = 0, found = 0;
    if (op->in_header)
        return nl_add_case_by_header(d, w);
    for (unsigned i = 0; i < s->deferred_count; i++) {
        const struct nl_deferred *one = &s->deferred[i];
        if (one->op && one->op == by && one->in_heap == (place.part > 0) && one->offset == base) {
            found = i;
            times++;
        }
    }
    if (times != 1 || op->outer || by->kind != NL_K_STRING)
        return nl_add_deferred(d, w->set, op, &w->a, place);
    struct nl_deferred text = s->deferred[found];
    memcpy(s->same + text.at, d->start + text.at, text.size);
    size_t size = nl_text_size(by, s->same + text.at, text.size);
    const struct nl_case *chosen = nl_find_case(op, s->same + text.at, size, 0);
    if (!chosen)
        return nl_add_deferred(d, w->set, op, &w->a, place);
    memset(s->mask + text.at, 0xff, text.size);
    memmove(&s->deferred[found], &s->deferred[found + 1], (--s->deferred_count - found) * sizeof text);
    uint32_t text_size = (uint32_t)size;
    name.offset += by->offset;
    memcpy(nl_model_at(d, name) + offsetof(struct nl_ref, size), &text_size, 4);
    return nl_add_text(d, text.at, size, name) < 0 ? -1 : nl_add_case(d, w, chosen);
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
        if (op->kind != NL_K_SUBMESSAGE || d->waiting == NL_SHAPE_WAITING)
            return nl_add_deferred(d, set, op, a, place);
        d->wait[d->waiting++] = (struct nl_waiting){set, op, *a, place};
        return 0;
    }
    switch (op->kind) {
    case NL_K_CONTAINER:
        return nl_add_set(d, op->set, a->payload, a->size, place, 0);
    case NL_K_ANNEX: {
        inside.offset += op->offset;
        const struct nl_reference *annex = nl_reference_at(d, inside);
        if (annex)
            inside = (struct nl_model_place){annex->to, 0, place.depth};
        else if (nl_add_record(d, op->set, 0, &inside) < 0)
            return -1;
        inside.depth = place.depth; /* an annex is no record of its own */
        return nl_add_attribute(d, op->set, op->item, a, inside);
    }
    case NL_K_STRUCT:
    case NL_K_NESTED:
    case NL_K_RARE:
        if (nl_present(set, nl_model_at(d, place), op->bit))
            return -1;
        nl_set_present(set, nl_model_at(d, place), op->bit);
        inside.offset += op->offset;
        if (op->kind == NL_K_RARE && nl_add_record(d, op->set, 0, &inside) < 0)
            return -1;
        return op->kind == NL_K_STRUCT ? nl_add_struct(d, op->set, a->payload, a->size, inside)
                                       : nl_add_set(d, op->set, a->payload, a->size, inside, 0);
    case NL_K_SKIP:
        return 0;
    case NL_K_BINARY:
        return nl_add_binary(d, set, op, a, place);
    case NL_K_REPEATED:
        if (op->item->kind != NL_K_NESTED)
            return nl_add_deferred(d, set, op, a, place);
        nl_set_present(set, nl_model_at(d, place), op->bit);
        return nl_add_item(d, op, a, place, NULL);
    case NL_K_ARRAY:
    case NL_K_STRUCTS:
    case NL_K_SEQUENCE:
    case NL_K_CHAIN:
        if (nl_present(set, nl_model_at(d, place), op->bit))
            return -1;
        nl_set_present(set, nl_model_at(d, place), op->bit);
        return op->kind == NL_K_ARRAY && op->item->kind == NL_K_NESTED ? nl_add_records(d, set, op, a, place)
                                                                       : nl_add_deferred(d, set, op, a, place);
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
    unsigned waiting = d->waiting;
    while ((step = nl_next_attribute(&c, &a)) == NL_ITEM) {
        const uint8_t *header = a.payload - NL_ATTR_HEADER;
        unsigned type = a.type & NL_ATTR_TYPE;
        const struct nl_op *op = type < set->limit ? set->index[type] : NULL;
        if (header != expected) /* attributes of length 0 before this one */
            return -1;
        if (op && op->kind == NL_K_VIEW) {
            d->shape->size = (uint32_t)(header - d->start);
            return outermost && !c.left && d->waiting == waiting ? 1 : -1;
        }
        if (nl_add_header(d, &a) < 0)
            return -1;
        expected = c.at;
        if (op && op->kind == NL_K_CONTAINER) {
            if (containers >> (type & 63) & 1)
                return -1;
            containers |= UINT64_C(1) << (type & 63);
        }
        if ((op ? nl_add_attribute(d, set, op, &a, place) : nl_add_deferred(d, set, NULL, &a, place)) < 0)
            return -1;
    }
    if (step != NL_END || expected != c.at)
        return -1;
    for (unsigned i = waiting; i < d->waiting; i++) {
        struct nl_waiting one = d->wait[i];
        if (nl_add_submessage(d, &one) < 0)
            return -1;
    }
    d->waiting = waiting;
    return 0;
}

/* As nl_decode_whole. */
static int nl_add_whole(struct nl_shape_builder *d, const struct nl_set *set, const uint8_t *payload, size_t size,
                        struct nl_model_place place, int outermost)
{
    size_t header = 0;
    if (set->wire_size)
        return nl_add_struct(d, set, payload, size, place);
    if (set->header) {
        struct nl_model_place inside = place;
        inside.offset += set->header->offset;
        header = nl_align(set->header->set->wire_size);
        if (size < set->header->set->wire_size)
            return -1;
        if (header > size)
            header = size;
        nl_set_present(set, nl_model_at(d, place), set->header->bit);
        if (nl_add_struct(d, set->header->set, payload, set->header->set->wire_size, inside) < 0)
            return -1;
    }
    return nl_add_set(d, set, payload + header, size - header, place, outermost);
}

/* Sorts the moves by kind: those to the outermost record, then those to the heap. */
static void nl_sort_moves(struct nl_shape_builder *d)
{
    struct nl_shape *s = d->shape;
    uint16_t next[2][NL_MOVE_KINDS], moves = 0;
    for (unsigned i = 0; i < d->moves; i++)
        (d->move[i].to < s->record ? &s->to_record : &s->to_heap)->counts[d->kind[i]]++;
    for (unsigned heap = 0; heap < 2; heap++) {
        struct nl_moves *to = heap ? &s->to_heap : &s->to_record;
        to->first = moves;
        for (unsigned kind = 0; kind < NL_MOVE_KINDS; kind++) {
            next[heap][kind] = moves;
            moves = (uint16_t)(moves + to->counts[kind]);
            if (kind >= NL_MOVE_SWAP16)
                to->swaps = (uint16_t)(to->swaps + to->counts[kind]);
        }
    }
    for (unsigned i = 0; i < d->moves; i++) {
        struct nl_move move = d->move[i];
        unsigned heap = move.to >= s->record;
        move.to = (uint16_t)(move.to - heap * s->record);
        s->move[next[heap][d->kind[i]]++] = move;
    }
}

/* Sorts the references: those in the outermost record, then those in the heap. */
static void nl_sort_references(struct nl_shape_builder *d)
{
    struct nl_shape *s = d->shape;
    unsigned put = 0;
    for (unsigned heap = 0; heap < 2; heap++) {
        for (unsigned i = 0; i < s->references; i++) {
            struct nl_reference one = d->reference[i];
            if ((one.at >= s->record) != heap)
                continue;
            one.at = (uint16_t)(one.at - heap * s->record);
            one.to = (uint16_t)(d->part[one.to].model - s->record);
            s->reference[put++] = one;
        }
        if (!heap)
            s->in_record = (uint16_t)put;
    }
}

static int nl_build_shape(struct nl_shape_builder *d, const struct nl_set *set, size_t size)
{
    struct nl_model_place place = {0, 0, 0};
    if (set->rest || set->wire_size || nl_add_part(d, set->record_size + 4, 0, &place.part) < 0)
        return -1;
    return nl_add_whole(d, set, d->start, size, place, 1);
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
    s->moved = 1;
    struct nl_shape_builder d;
    d.shape = s;
    d.start = payload;
    d.moves = d.model = d.parts = d.waiting = 0;
    int result = nl_build_shape(&d, set, size);
    if (result < 0 || s->size < NL_SHAPE_MIN || s->size > NL_SHAPE_MAX) {
        free(s);
        return NULL;
    }
    s->rest = result == 1;
    s->record = d.part[0].size;
    s->heap = (uint16_t)(d.model - s->record);
    s->plain = !s->heap && !s->deferred_count && !s->rest;
    nl_sort_moves(&d);
    nl_sort_references(&d);
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
    if (s->size < 16) {
        size_t behind = s->size - 8;
        return !(((nl_load64(payload) ^ nl_load64(s->same)) & nl_load64(s->mask)) |
                 ((nl_load64(payload + behind) ^ nl_load64(s->same + behind)) & nl_load64(s->mask + behind)));
    }
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

static inline void nl_apply_moves(const struct nl_shape *s, const struct nl_moves *moves, const uint8_t *payload,
                                  uint8_t *record)
{
    const struct nl_move *m = &s->move[moves->first];
    for (unsigned n = moves->counts[NL_MOVE_8]; n; n--, m++)
        record[m->to] = payload[m->from];
    for (unsigned n = moves->counts[NL_MOVE_16]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 2);
    for (unsigned n = moves->counts[NL_MOVE_32]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 4);
    for (unsigned n = moves->counts[NL_MOVE_64]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 8);
    for (unsigned n = moves->counts[NL_MOVE_128]; n; n--, m++)
        memcpy(record + m->to, payload + m->from, 16);
    if (!moves->swaps)
        return;
    for (unsigned n = moves->counts[NL_MOVE_SWAP16]; n; n--, m++) {
        uint16_t v = __builtin_bswap16(nl_load16(payload + m->from));
        memcpy(record + m->to, &v, 2);
    }
    for (unsigned n = moves->counts[NL_MOVE_SWAP32]; n; n--, m++) {
        uint32_t v = __builtin_bswap32(nl_load32(payload + m->from));
        memcpy(record + m->to, &v, 4);
    }
    for (unsigned n = moves->counts[NL_MOVE_SWAP64]; n; n--, m++) {
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

/* Decodes a deferred attribute. first: offset of the parts in the heap. */
static int nl_shape_decode(const struct nl_deferred *deferred, const uint8_t *payload, uint8_t *record, uint32_t first,
                           struct nl_decoder *d)
{
    const struct nl_op *op = deferred->op;
    struct nl_attribute a = {
        .length = deferred->length, .type = deferred->type, .payload = payload + deferred->at, .size = deferred->size};
    uint32_t base = deferred->in_heap ? first : 0;
    struct nl_place place = {deferred->in_heap ? NULL : record, base + deferred->offset, base + deferred->outer,
                             base + deferred->unknown};
    d->depth = deferred->depth;
    if (!op)
        return nl_add_unknown(d, deferred->set, &a, &place);
    return op->code == NL_C_LATE ? nl_decode_late(d, deferred->set, op, &a, &place)
                                 : nl_decode_value(d, deferred->set, op, &a, &place);
}

/* Makes the parts in the heap: the offset of the first; 0 if there is no memory. */
static inline uint32_t nl_shape_parts(const struct nl_shape *s, const uint8_t *payload, uint8_t *record,
                                      struct nl_area *heap)
{
    uint32_t first = nl_heap_alloc(heap, s->heap);
    if (!first)
        return 0;
    uint8_t *to = heap->data + first;
    const struct nl_reference *r = s->reference, *in_heap = r + s->in_record, *end = r + s->references;
    if (!s->moved)
        memcpy(to, s->model + s->record, s->heap);
    nl_apply_moves(s, &s->to_heap, payload, to);
    for (; r < in_heap; r++) {
        uint32_t offset = first + r->to;
        memcpy(record + r->at, &offset, 4);
    }
    for (; r < end; r++) {
        uint32_t offset = first + r->to;
        memcpy(to + r->at, &offset, 4);
    }
    return first;
}

/* Makes the parts in the heap and decodes the deferred attributes. */
static int nl_shape_finish(const struct nl_shape *s, const struct nl_set *set, const uint8_t *payload, size_t size,
                           uint8_t *record, struct nl_decoder *d)
{
    uint32_t first = 0;
    if (s->heap && !(first = nl_shape_parts(s, payload, record, d->heap)))
        return -1;
    for (unsigned i = 0; i < s->deferred_count; i++) {
        const struct nl_deferred *deferred = &s->deferred[i];
        const struct nl_op *op = deferred->op;
        const uint8_t *from = payload + deferred->at;
        if (op && op->kind == NL_K_ADDRESS_BY) { /* its family is there: a move of the same part */
            nl_decode_address_by(op, from, (deferred->in_heap ? d->heap->data + first : record) + deferred->offset);
            continue;
        }
        if (op && (op->kind == NL_K_STRING || op->kind == NL_K_BINARY)) { /* the model has its presence bit */
            struct nl_ref ref;
            if (nl_heap_copy(d, from, nl_text_size(op, from, deferred->size), &ref) < 0)
                return -1;
            uint8_t *base = deferred->in_heap ? d->heap->data + first : record;
            memcpy(base + deferred->offset + op->offset, &ref, sizeof ref);
            continue;
        }
        if (!(op && op->code == NL_C_LATE) && nl_shape_decode(deferred, payload, record, first, d) < 0)
            return -1;
    }
    for (unsigned i = 0, left = s->late; left; i++) {
        const struct nl_deferred *deferred = &s->deferred[i];
        if (!deferred->op || deferred->op->code != NL_C_LATE)
            continue;
        if (nl_shape_decode(deferred, payload, record, first, d) < 0)
            return -1;
        left--;
    }
    return s->rest ? nl_shape_rest(s, set, payload, size, record, d) : 0;
}

/* Counts a payload without a known shape, and makes a shape of it if there have been enough. */
static void nl_shapes_learn(struct nl_shapes *all, const struct nl_set *set, const uint8_t *payload, size_t size)
{
    uint32_t after = all->count < NL_SHAPES ? NL_SHAPE_LEARN_AFTER : NL_SHAPE_REPLACE_AFTER;
    if (++all->missed < after << all->failed)
        return;
    all->missed = 0;
    struct nl_shape *s = nl_shape_new(set, payload, size);
    if (!s) {
        all->failed += all->failed < NL_SHAPE_FAILED_MAX;
        return;
    }
    all->failed = 0;
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
        memcpy(record, s->model, s->record);
        nl_apply_moves(s, &s->to_record, payload, record);
        if (s->plain)
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
