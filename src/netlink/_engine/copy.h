/* Copies of records, each with all that it refers to and nothing else, and moves of records with their heap.
 *
 * Plain C without Python, as plan.h. The records have been decoded: their
 * offsets are those of the decoder, and they are nested no deeper than it permits.
 */
#ifndef NETLINK_COPY_H
#define NETLINK_COPY_H

#include <stddef.h>

#include "plan.h"

struct nl_copier {
    struct nl_bytes from;
    struct nl_area *heap, *datagrams;
    int full; /* cause of a failure: 1, an area has reached the limit of 32-bit offsets; 0, no memory */
};

/* The address of a copy: in fixed memory, or if that is NULL in the heap, which moves when it grows. */
static inline uint8_t *nl_copy_at(const struct nl_copier *c, uint8_t *fixed, size_t offset)
{
    return (fixed ? fixed : c->heap->data) + offset;
}

/* Copies n bytes to the new heap: their offset, or 0 and the cause in `full`. */
static uint32_t nl_copy_bytes(struct nl_copier *c, const uint8_t *bytes, size_t n)
{
    uint32_t offset = nl_heap_alloc(c->heap, n);
    if (offset)
        memcpy(c->heap->data + offset, bytes, n);
    else
        c->full = n > UINT32_MAX - c->heap->size;
    return offset;
}

static int nl_copy_ref(struct nl_copier *c, const uint8_t *from, uint8_t *fixed, size_t at)
{
    struct nl_ref ref;
    memcpy(&ref, from, sizeof ref);
    if (ref.size && !(ref.offset = nl_copy_bytes(c, c->from.heap + ref.offset, ref.size)))
        return -1;
    memcpy(nl_copy_at(c, fixed, at), &ref, sizeof ref);
    return 0;
}

static int nl_copy_view(struct nl_copier *c, const uint8_t *from, uint8_t *fixed, size_t at)
{
    struct nl_ref ref;
    memcpy(&ref, from, sizeof ref);
    if (ref.size) {
        struct nl_area *datagrams = c->datagrams;
        if (ref.size > UINT32_MAX - datagrams->size || nl_area_reserve(datagrams, ref.size) < 0) {
            c->full = ref.size > UINT32_MAX - datagrams->size;
            return -1;
        }
        memcpy(datagrams->data + datagrams->size, c->from.datagrams + ref.offset, ref.size);
        ref.offset = (uint32_t)datagrams->size;
        datagrams->size += ref.size;
    }
    memcpy(nl_copy_at(c, fixed, at), &ref, sizeof ref);
    return 0;
}

/* Copies the unknown attributes of a record in their order. The record has size bytes and lies shift bytes into the
 * outermost record. entry: the first of the outermost record's list. head: offset of the new list's head. */
static int nl_copy_unknown(struct nl_copier *c, uint32_t entry, size_t shift, size_t size, uint8_t *fixed, size_t head)
{
    while (entry) {
        struct nl_unknown u;
        memcpy(&u, c->from.heap + entry, sizeof u);
        if (u.owner - shift < size) {
            uint32_t next = u.next, to = nl_copy_bytes(c, c->from.heap + entry, sizeof u + u.size);
            if (!to)
                return -1;
            u.next = 0;
            u.owner -= (uint32_t)shift;
            memcpy(c->heap->data + to, &u, sizeof u);
            memcpy(nl_copy_at(c, fixed, head), &to, 4);
            fixed = NULL;
            head = to; /* an entry begins with the next one's offset */
            entry = next;
        } else {
            entry = u.next;
        }
    }
    return 0;
}

static int nl_copy_fields(struct nl_copier *c, const struct nl_set *set, const uint8_t *record, uint8_t *fixed,
                          size_t at);

/* Copies a separate record of the old heap. `before` bytes of bookkeeping precede it. Its offset in the new heap, or
 * 0. */
static uint32_t nl_copy_heap_record(struct nl_copier *c, const struct nl_set *set, uint32_t from, size_t before)
{
    const uint8_t *record = c->from.heap + from + before;
    uint32_t unknown = nl_load32(record + set->record_size), none = 0;
    uint32_t to = nl_copy_bytes(c, record - before, before + set->record_size + 4);
    if (!to)
        return 0;
    memcpy(c->heap->data + to + before + set->record_size, &none, 4);
    if (nl_copy_fields(c, set, record, NULL, to + before) < 0 ||
        nl_copy_unknown(c, unknown, 0, set->record_size, NULL, to + before + set->record_size) < 0)
        return 0;
    return to;
}

static int nl_copy_rare(struct nl_copier *c, const struct nl_op *op, const uint8_t *from, uint8_t *fixed, size_t at)
{
    uint32_t to = nl_copy_heap_record(c, op->set, nl_load32(from), 0);
    if (!to)
        return -1;
    memcpy(nl_copy_at(c, fixed, at), &to, 4);
    return 0;
}

/* Whether the bytes of an address lie in the heap. If a field has two ops, one for each family, that for IPv6 says so.
 */
static int nl_is_in_heap(const struct nl_op *op, const uint8_t *from)
{
    return op->size == NL_ADDRESS && op->width != 4 && from[4] == 6;
}

static int nl_copy_address(struct nl_copier *c, const struct nl_op *op, const uint8_t *from, uint8_t *fixed, size_t at)
{
    if (!nl_is_in_heap(op, from))
        return 0;
    uint32_t to = nl_copy_bytes(c, c->from.heap + nl_load32(from), 16);
    if (!to)
        return -1;
    memcpy(nl_copy_at(c, fixed, at), &to, 4);
    return 0;
}

static int nl_copy_list(struct nl_copier *c, const struct nl_op *op, const uint8_t *from, uint8_t *fixed, size_t at)
{
    const struct nl_op *item = op->item;
    const struct nl_set alone = {.op_count = 1, .ops = item, .record_size = item->size + 1, .presence = item->size};
    struct nl_list list, copy = {0, 0};
    uint32_t none = 0;
    memcpy(&list, from, sizeof list);
    for (uint32_t entry = list.first; entry; entry = nl_load32(c->from.heap + entry)) {
        uint32_t to;
        if (item->kind == NL_K_NESTED) {
            to = nl_copy_heap_record(c, item->set, entry, 4);
        } else {
            to = nl_copy_bytes(c, c->from.heap + entry, 4 + alone.record_size);
            if (to && nl_copy_fields(c, &alone, c->from.heap + entry + 4, NULL, to + 4) < 0)
                to = 0;
        }
        if (!to)
            return -1;
        memcpy(c->heap->data + to, &none, 4);
        if (copy.last)
            memcpy(c->heap->data + copy.last, &to, 4);
        else
            copy.first = to;
        copy.last = to;
    }
    memcpy(nl_copy_at(c, fixed, at), &copy, sizeof copy);
    return 0;
}

static int nl_copy_submessage(struct nl_copier *c, const struct nl_op *op, const uint8_t *from, uint8_t *fixed,
                              size_t at)
{
    struct nl_sub sub;
    memcpy(&sub, from, sizeof sub);
    if (sub.raw_size && !(sub.raw = nl_copy_bytes(c, c->from.heap + sub.raw, sub.raw_size)))
        return -1;
    if (sub.record && !(sub.record = nl_copy_heap_record(c, op->cases[sub.which].set, sub.record, 0)))
        return -1;
    memcpy(nl_copy_at(c, fixed, at), &sub, sizeof sub);
    return 0;
}

/* Copies what the fields of a record refer to. The record's own bytes are already in the copy. */
static int nl_copy_fields(struct nl_copier *c, const struct nl_set *set, const uint8_t *record, uint8_t *fixed,
                          size_t at)
{
    for (unsigned i = 0; i < set->op_count; i++) {
        const struct nl_op *op = &set->ops[i];
        const uint8_t *from = record + op->offset;
        int result = 0;
        if (op->kind == NL_K_CONTAINER)
            result = nl_copy_fields(c, op->set, record, fixed, at);
        else if (op->kind == NL_K_ANNEX || !nl_present(set, record, op->bit))
            continue; /* the annex is copied as a whole */
        else if (op->kind == NL_K_NESTED)
            result = nl_copy_fields(c, op->set, from, fixed, at + op->offset);
        else if (op->kind == NL_K_ADDRESS)
            result = nl_copy_address(c, op, from, fixed, at + op->offset);
        else if (op->kind == NL_K_STRING || op->kind == NL_K_BINARY || op->kind == NL_K_REST || op->kind == NL_K_PACKED)
            result = nl_copy_ref(c, from, fixed, at + op->offset);
        else if (op->kind == NL_K_VIEW)
            result = nl_copy_view(c, from, fixed, at + op->offset);
        else if (nl_is_list(op->kind))
            result = nl_copy_list(c, op, from, fixed, at + op->offset);
        else if (op->kind == NL_K_SUBMESSAGE)
            result = nl_copy_submessage(c, op, from, fixed, at + op->offset);
        else if (op->kind == NL_K_RARE)
            result = nl_copy_rare(c, op, from, fixed, at + op->offset);
        if (result < 0)
            return -1;
    }
    if (set->annex && nl_load32(record + set->annex->offset))
        return nl_copy_rare(c, set->annex, record + set->annex->offset, fixed, at + set->annex->offset);
    return 0;
}

/* Appends a copy of a record to `records`. The record lies shift bytes into the outermost record. unknown: the first
 * entry of the outermost record's list. 0, or -1: the heap and the datagrams may have grown. */
static int nl_copy_record(struct nl_copier *c, const struct nl_set *set, const uint8_t *record, uint32_t unknown,
                          size_t shift, struct nl_area *records)
{
    size_t stride = (size_t)set->record_size + 4;
    if (nl_area_reserve(records, stride) < 0)
        return -1;
    uint8_t *to = records->data + records->size;
    memcpy(to, record, set->record_size);
    memset(to + set->record_size, 0, 4);
    if (nl_copy_fields(c, set, record, to, 0) < 0 ||
        nl_copy_unknown(c, unknown, shift, set->record_size, to, set->record_size) < 0)
        return -1;
    records->size += stride;
    return 0;
}

/* ---- moves ---- */

/* A heap that another heap was appended to, `by` bytes from its start. */
struct nl_mover {
    uint8_t *heap;
    uint32_t by;
};

/* Lets a reference lead to the new place. Returns it; 0: there is none. */
static uint32_t nl_move_reference(const struct nl_mover *m, uint8_t *at)
{
    uint32_t to = nl_load32(at);
    if (to) {
        to += m->by;
        memcpy(at, &to, 4);
    }
    return to;
}

static void nl_move_fields(const struct nl_mover *m, const struct nl_set *set, uint8_t *record);

/* Moves a record with a list of unknown attributes, the outermost or a separate one. */
static void nl_move_record(const struct nl_mover *m, const struct nl_set *set, uint8_t *record)
{
    uint8_t *next = record + set->record_size;
    nl_move_fields(m, set, record);
    for (uint32_t entry; (entry = nl_move_reference(m, next));)
        next = m->heap + entry; /* an entry begins with the next one's offset */
}

static void nl_move_rare(const struct nl_mover *m, const struct nl_set *set, uint8_t *at)
{
    uint32_t record = nl_move_reference(m, at);
    if (record)
        nl_move_record(m, set, m->heap + record);
}

static void nl_move_list(const struct nl_mover *m, const struct nl_op *item, uint8_t *at)
{
    const struct nl_set alone = {.op_count = 1, .ops = item, .record_size = item->size + 1, .presence = item->size};
    uint8_t *next = at;
    nl_move_reference(m, at + offsetof(struct nl_list, last));
    for (uint32_t entry; (entry = nl_move_reference(m, next));) {
        next = m->heap + entry;
        if (item->kind == NL_K_NESTED)
            nl_move_record(m, item->set, next + 4);
        else
            nl_move_fields(m, &alone, next + 4);
    }
}

/* Moves what the fields of a record refer to. */
static void nl_move_fields(const struct nl_mover *m, const struct nl_set *set, uint8_t *record)
{
    for (unsigned i = 0; i < set->op_count; i++) {
        const struct nl_op *op = &set->ops[i];
        uint8_t *at = record + op->offset;
        if (op->kind == NL_K_CONTAINER)
            nl_move_fields(m, op->set, record);
        else if (op->kind == NL_K_ANNEX || !nl_present(set, record, op->bit))
            continue;
        else if (op->kind == NL_K_NESTED)
            nl_move_fields(m, op->set, at);
        else if (op->kind == NL_K_STRING || op->kind == NL_K_BINARY || op->kind == NL_K_REST ||
                 op->kind == NL_K_PACKED || (op->kind == NL_K_ADDRESS && nl_is_in_heap(op, at)))
            nl_move_reference(m, at);
        else if (op->kind == NL_K_RARE)
            nl_move_rare(m, op->set, at);
        else if (nl_is_list(op->kind))
            nl_move_list(m, op->item, at);
        else if (op->kind == NL_K_SUBMESSAGE) {
            struct nl_sub sub;
            memcpy(&sub, at, sizeof sub);
            nl_move_reference(m, at + offsetof(struct nl_sub, raw));
            if (sub.record)
                nl_move_rare(m, op->cases[sub.which].set, at + offsetof(struct nl_sub, record));
        }
    }
    if (set->annex)
        nl_move_rare(m, set->annex->set, record + set->annex->offset);
}

/* Moves records that lie side by side, and whose heap was appended to another one. They have no views. */
__attribute__((unused)) static void nl_move_records(const struct nl_mover *m, const struct nl_set *set,
                                                    uint8_t *records, size_t count)
{
    for (; count; count--, records += set->record_size + 4)
        nl_move_record(m, set, records);
}

#endif
