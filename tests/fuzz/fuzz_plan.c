/* Fuzz target: the schema engine in C, on one input, with a set that has a field of every kind.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes its own seeds, mutates them a given
 * number of times, and runs the files that it is given. Built with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * Beyond not crashing it must hold: all that a record refers to lies in the heap or the datagrams, lists end,
 * presence bits are those of fields, a failed decode says where inside the input, what is decoded and encoded again
 * is the same from then on, an input's shape says of it, and of one with other values, what nl_decode says, a copy of
 * a record refers to memory of its own alone, and it and one with a moved heap are encoded as the record is, and of
 * attributes that come again the last one counts, as if the others were not there.
 */
#include "../../src/netlink/_engine/copy.h"
#include "../../src/netlink/_engine/shape.h"
#include "target.h"

enum { LIMIT = 80, SETS = 36, MORE = 70 };

/* A set while it is made: what the compiler in schema.py and _engine/record.pyx does. */
struct table {
    struct nl_op ops[LIMIT + MORE];
    const struct nl_op *index[LIMIT + MORE + 1];
    struct nl_set set;
    uint32_t end; /* of the fields */
    uint16_t bits;
};

static struct table head, point, leaf, stats, other, outer, annex, address_of, ports_of, wide, headed, nothing,
    numbered, loop, remainder_of, asks, route, hop;
static struct nl_op items[SETS];
static struct nl_case by_number[3], by_text[4], by_loop[2], by_outer[2], by_head[2];
static struct nl_op skip = {.kind = NL_K_SKIP};

static uint32_t stored(const struct nl_op *op)
{
    switch (op->kind) {
    case NL_K_INT:
        return op->width ? op->width : 8;
    case NL_K_FLAG:
        return 1;
    case NL_K_FIXED:
        return op->size;
    case NL_K_ADDRESS_BY:
        return NL_WHOLE_ADDRESS;
    case NL_K_SOCKADDR:
        return sizeof(struct nl_socket_address);
    case NL_K_KEY:
        return 2;
    case NL_K_ADDRESS:
        return op->size ? op->size : op->width ? op->width : NL_ADDRESS;
    case NL_K_NESTED:
    case NL_K_STRUCT:
        return op->set->record_size;
    case NL_K_RARE:
        return 4;
    case NL_K_SUBMESSAGE:
        return sizeof(struct nl_sub);
    default:
        return 8; /* nl_ref, nl_list */
    }
}

/* A field of owner, as an attribute of t, which is owner or one of its containers. */
static struct nl_op *add_to(struct table *owner, struct table *t, struct nl_op op)
{
    struct nl_op *to = &t->ops[t->set.op_count++];
    *to = op;
    if (op.kind != NL_K_CONTAINER) {
        to->size = stored(to);
        owner->end = (uint32_t)nl_align(nl_align(owner->end) + (op.kind == NL_K_INT && to->size == 8 ? 4 : 0));
        to->offset = owner->end;
        owner->end += to->size;
        to->bit = owner->bits++;
    }
    nl_op_finish(to);
    t->index[op.type] = to;
    if (t->set.limit <= op.type)
        t->set.limit = (uint16_t)(op.type + 1);
    return to;
}

static struct nl_op *add(struct table *t, struct nl_op op)
{
    return add_to(t, t, op);
}

static void finish(struct table *t, const struct table *owner)
{
    t->set.ops = t->ops;
    t->set.index = t->index;
    t->set.presence = owner->end;
    t->set.record_size = (uint32_t)nl_align(owner->end + (owner->bits + 8u) / 8);
    nl_set_finish(&t->set);
}

/* The number of a record in arrays, at a level of their attributes. */
static void add_key(struct table *t, unsigned level)
{
    static struct nl_op keys[8];
    static unsigned count;
    struct nl_op *to = &keys[count++];
    CHECK(level < NL_KEYS_MAX && count <= 8);
    *to = (struct nl_op){.kind = NL_K_KEY, .size = 2, .offset = t->end, .bit = t->bits++};
    t->end += 2;
    t->set.keys[level] = to;
}

static const struct nl_op *item(struct nl_op op)
{
    static int count;
    struct nl_op *to = &items[count++];
    CHECK(count <= SETS);
    *to = op;
    to->size = stored(to);
    nl_op_finish(to);
    return to;
}

/* The header: the last op, which is no attribute. */
static void set_header(struct table *t)
{
    struct nl_op *header = &t->ops[t->set.op_count];
    *header = (struct nl_op){.kind = NL_K_STRUCT, .set = &head.set, .size = head.set.record_size};
    header->offset = t->end = (uint32_t)nl_align(t->end);
    header->bit = t->bits++;
    t->end += header->size;
    t->set.header = header;
    finish(t, t);
}

#define OP(...) ((struct nl_op){__VA_ARGS__})
#define INT(number, bytes, how) OP(.kind = NL_K_INT, .type = number, .width = bytes, .flags = how)
#define KIND(number, what) OP(.kind = what, .type = number)

/* A field of outer in its annex, as an attribute of t, which is outer or one of its containers. */
static void add_annexed(struct table *t, struct nl_op op)
{
    const struct nl_op *field = add(&annex, op);
    struct nl_op *to = &t->ops[t->set.op_count++];
    *to = OP(.kind = NL_K_ANNEX, .type = op.type, .set = &annex.set, .item = field);
    nl_op_finish(to);
    t->index[op.type] = to;
    if (t->set.limit <= op.type)
        t->set.limit = (uint16_t)(op.type + 1);
}

/* Adds rare fields of outer, with attribute types from this one on. Returns the next type. */
static uint16_t add_rare(uint16_t type, struct nl_op *reference)
{
    add_annexed(&outer, INT(type++, 4, NL_BIG)); /* 40 */
    add_annexed(&outer, KIND(type++, NL_K_STRING));
    add_annexed(&outer, KIND(type++, NL_K_ADDRESS));
    add_annexed(&outer, OP(.kind = NL_K_NESTED, .type = type++, .set = &other.set));
    add_annexed(&outer, OP(.kind = NL_K_STRUCT, .type = type++, .set = &stats.set));
    add_annexed(&outer,
                OP(.kind = NL_K_ARRAY, .type = type++, .item = item(OP(.kind = NL_K_NESTED, .set = &leaf.set))));
    add_annexed(&outer, OP(.kind = NL_K_RARE, .type = type++, .set = &other.set));
    add_annexed(&outer, OP(.kind = NL_K_NESTED, .type = type++, .set = &asks.set));
    add_annexed(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = item(INT(0, 2, 0))));
    add_annexed(&ports_of, OP(.kind = NL_K_ADDRESS, .type = 6, .width = 16));
    finish(&annex, &annex);
    outer.end = (uint32_t)nl_align(outer.end);
    *reference = OP(.kind = NL_K_RARE, .offset = outer.end, .size = 4, .set = &annex.set);
    for (struct table *t = &outer; t; t = t == &outer ? &ports_of : NULL)
        for (unsigned i = 0; i < t->set.op_count; i++)
            if (t->ops[i].kind == NL_K_ANNEX)
                t->ops[i].offset = outer.end;
    outer.end += 4;
    return type;
}

static void make(void)
{
    if (outer.set.ops)
        return;
    /* structs */
    add(&head, OP(.kind = NL_K_INT, .width = 1, .at = 0));
    add(&head, OP(.kind = NL_K_INT, .width = 2, .flags = NL_BIG, .at = 1));
    add(&head, OP(.kind = NL_K_FIXED, .size = 2, .at = 3));
    head.set.wire_size = 5;
    finish(&head, &head);
    struct nl_op *by_family = add(&point, OP(.kind = NL_K_ADDRESS_BY, .width = 16, .at = 1));
    by_family->sibling = add(&point, OP(.kind = NL_K_INT, .width = 2, .flags = NL_BIG, .at = 17));
    point.set.wire_size = 20;
    finish(&point, &point);
    add(&stats, OP(.kind = NL_K_INT, .width = 4, .at = 0));
    add(&stats, OP(.kind = NL_K_FIXED, .size = 8, .at = 4));
    add(&stats, OP(.kind = NL_K_ADDRESS, .width = 16, .at = 12)); /* so far copied at once */
    add(&stats, OP(.kind = NL_K_INT, .width = 8, .flags = NL_BIG, .at = 28));
    add(&stats, OP(.kind = NL_K_INT, .width = 2, .flags = NL_SIGNED, .at = 36));
    add(&stats, OP(.kind = NL_K_ADDRESS, .width = 4, .at = 38));
    add(&stats, OP(.kind = NL_K_FIXED, .size = 6, .at = 42));
    add(&stats, OP(.kind = NL_K_STRUCT, .set = &point.set, .at = 50));
    stats.set.wire_size = 72;
    finish(&stats, &stats);
    CHECK(stats.set.same == 3);
    /* sets */
    add(&leaf, INT(1, 2, NL_BIG));
    add(&leaf, KIND(2, NL_K_STRING));
    add(&leaf, OP(.kind = NL_K_REPEATED, .type = 3, .item = item(INT(0, 4, 0))));
    finish(&leaf, &leaf);
    for (int i = 0; i < MORE; i++)
        add(&wide, INT((uint16_t)i, 1, 0));
    add(&wide, INT(MORE, 4, NL_BIG));
    add(&wide, KIND(MORE + 1, NL_K_STRING));
    wide.set.narrow = 1;
    finish(&wide, &wide);
    add_key(&numbered, 1);
    add(&numbered, INT(1, 4, 0));
    add_key(&numbered, 0);
    add(&numbered, OP(.kind = NL_K_STRUCTS, .type = 2, .item = item(OP(.kind = NL_K_STRUCT, .set = &head.set))));
    finish(&numbered, &numbered);
    finish(&nothing, &nothing);
    remainder_of.set.rest = add(&remainder_of, KIND(0, NL_K_REST));
    remainder_of.index[0] = NULL;
    remainder_of.set.limit = 0;
    set_header(&remainder_of);
    add(&headed, INT(1, 4, 0));
    add(&headed, OP(.kind = NL_K_NESTED, .type = 2, .set = &nothing.set));
    headed.set.lenient = 1;
    set_header(&headed);
    add(&other, OP(.kind = NL_K_NESTED, .type = 1, .set = &leaf.set)); /* at offset 0, as its outer record */
    add(&other, OP(.kind = NL_K_RARE, .type = 2, .set = &leaf.set));
    add(&other, INT(3, 0, 0));
    add(&other, OP(.kind = NL_K_ARRAY, .type = 4, .item = item(INT(0, 4, 0))));
    add(&other, KIND(5, NL_K_FLAG));
    add(&other, INT(6, 2, NL_BIG));
    by_family = add(&other, OP(.kind = NL_K_ADDRESS_BY, .type = 9, .width = 16));
    by_family->sibling = add(&other, INT(10, 1, NL_BIG));
    add(&other, KIND(11, NL_K_SOCKADDR));
    by_text[2] = (struct nl_case){.text = "x", .text_size = 1, .set = &headed.set};
    const struct nl_op *which = add(&other, KIND(7, NL_K_STRING));
    add(&other, OP(.kind = NL_K_SUBMESSAGE, .type = 8, .sibling = which, .cases = by_text + 2, .case_count = 1));
    other.set.lenient = 1;
    finish(&other, &other);

    /* a set that leads to itself in all ways */
    by_loop[0] = (struct nl_case){.number = 1, .set = &loop.set};
    by_loop[1] = (struct nl_case){.number = 2, .set = &loop.set};
    const struct nl_op *again = item(OP(.kind = NL_K_NESTED, .set = &loop.set));
    add(&loop, OP(.kind = NL_K_RARE, .type = 1, .set = &loop.set));
    add(&loop, OP(.kind = NL_K_REPEATED, .type = 2, .item = again));
    add(&loop, OP(.kind = NL_K_ARRAY, .type = 3, .item = again));
    const struct nl_op *turn = add(&loop, INT(4, 1, 0));
    add(&loop, OP(.kind = NL_K_SUBMESSAGE, .type = 5, .sibling = turn, .cases = by_loop, .case_count = 2));
    add(&loop, KIND(6, NL_K_BINARY));
    add_key(&loop, 0);
    finish(&loop, &loop);

    /* a set whose submessages others decide about: a field of outer, and one of its header */
    by_outer[0] = (struct nl_case){.number = 1, .set = &leaf.set};
    by_outer[1] = (struct nl_case){.number = (uint64_t)-2, .set = &nothing.set};
    by_head[0] = (struct nl_case){.number = 1, .set = &leaf.set};
    by_head[1] = (struct nl_case){.number = 0, .set = &nothing.set};
    add(&asks, INT(1, 4, 0));
    add(&asks, OP(.kind = NL_K_SUBMESSAGE, .type = 2, .outer = 1, .by = 30, .cases = by_outer, .case_count = 2));
    add(&asks, OP(.kind = NL_K_SUBMESSAGE, .type = 3, .outer = 1, .in_header = 1, .sibling = &head.ops[0],
                  .cases = by_head, .case_count = 2));
    asks.set.asks = 1;
    finish(&asks, &asks);

    /* the records of a chain */
    add(&hop, OP(.kind = NL_K_INT, .width = 2, .at = 0));
    add(&hop, OP(.kind = NL_K_INT, .width = 1, .at = 2));
    hop.set.wire_size = 6;
    finish(&hop, &hop);
    add(&route, KIND(1, NL_K_ADDRESS));
    add(&route, OP(.kind = NL_K_NESTED, .type = 2, .set = &leaf.set));
    struct nl_op *before = &route.ops[route.set.op_count];
    *before =
        OP(.kind = NL_K_STRUCT, .set = &hop.set, .size = hop.set.record_size, .offset = route.end, .bit = route.bits++);
    route.end += before->size;
    route.set.header = before;
    finish(&route, &route);

    static const uint8_t widths[] = {1, 2, 4, 8};
    uint16_t type = 1;
    for (unsigned i = 0; i < 4; i++) {
        add(&outer, INT(type++, widths[i], 0));
        add(&outer, INT(type++, widths[i], NL_SIGNED));
        if (widths[i] > 1)
            add(&outer, INT(type++, widths[i], NL_BIG));
    }
    add(&outer, INT(type++, 0, 0)); /* 12 */
    add(&outer, INT(type++, 0, NL_SIGNED));
    add(&outer, KIND(type++, NL_K_FLAG));
    add(&outer, KIND(type++, NL_K_STRING));
    add(&outer, KIND(type++, NL_K_BINARY));
    add(&outer, OP(.kind = NL_K_FIXED, .type = type++, .size = 6));
    add(&outer, OP(.kind = NL_K_ADDRESS, .type = type++, .width = 4));
    add(&outer, OP(.kind = NL_K_ADDRESS, .type = type++, .width = 16));
    add(&outer, KIND(type++, NL_K_ADDRESS)); /* 20 */
    add(&outer, OP(.kind = NL_K_NESTED, .type = type++, .set = &other.set));
    add(&outer, OP(.kind = NL_K_RARE, .type = type++, .set = &other.set));
    add(&outer, OP(.kind = NL_K_STRUCT, .type = type++, .set = &stats.set));
    add(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = item(KIND(0, NL_K_STRING))));
    add(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = item(OP(.kind = NL_K_NESTED, .set = &other.set))));
    add(&outer, OP(.kind = NL_K_ARRAY, .type = type++, .item = item(KIND(0, NL_K_ADDRESS))));
    add(&outer, OP(.kind = NL_K_ARRAY, .type = type++, .item = item(OP(.kind = NL_K_NESTED, .set = &leaf.set))));
    add(&outer, OP(.kind = NL_K_PACKED, .type = type++, .width = 2, .flags = NL_BIG));
    add(&outer, OP(.kind = NL_K_PACKED, .type = type++, .width = 8, .flags = NL_SIGNED));
    by_number[0] = (struct nl_case){.number = 1, .set = &leaf.set};
    by_number[1] = (struct nl_case){.number = (uint64_t)-2, .set = &other.set};
    by_number[2] = (struct nl_case){.number = 2, .set = &stats.set};
    const struct nl_op *number = add(&outer, INT(type++, 1, NL_SIGNED)); /* 30 */
    add(&outer, OP(.kind = NL_K_SUBMESSAGE, .type = type++, .sibling = number, .cases = by_number, .case_count = 3));
    by_text[0] = (struct nl_case){.text = "vlan", .text_size = 4, .set = &leaf.set};
    by_text[1] = (struct nl_case){.text = "", .text_size = 0, .set = &nothing.set};
    by_text[3] = (struct nl_case){.text = "eth0", .text_size = 4, .set = &remainder_of.set};
    const struct nl_op *text = add(&outer, KIND(type++, NL_K_STRING));
    add(&outer, OP(.kind = NL_K_SUBMESSAGE, .type = type++, .sibling = text, .cases = by_text, .case_count = 4));
    /* A container with an address of two types, and one whose field has a type beside it. */
    struct nl_op *address =
        add_to(&outer, &address_of, OP(.kind = NL_K_ADDRESS, .type = 1, .width = 4, .size = NL_ADDRESS));
    struct nl_op *address6 = &address_of.ops[address_of.set.op_count++];
    *address6 = *address;
    address6->type = 3;
    address6->width = 16;
    nl_op_finish(address6);
    address_of.index[3] = address6;
    address_of.set.limit = 4;
    struct nl_op *id = add_to(&outer, &ports_of, INT(4, 2, NL_BIG));
    id->family = 4;
    id->at = address->offset + 4;
    struct nl_op *id6 = &ports_of.ops[ports_of.set.op_count++];
    *id6 = *id;
    id6->type = 7;
    id6->family = 6;
    ports_of.index[7] = id6;
    ports_of.set.limit = 8;
    add_to(&outer, &ports_of, KIND(5, NL_K_BINARY));
    add(&outer, OP(.kind = NL_K_CONTAINER, .type = type++, .set = &address_of.set)); /* 34 */
    add(&outer, OP(.kind = NL_K_CONTAINER, .type = type++, .set = &ports_of.set));
    add(&outer, OP(.kind = NL_K_NESTED, .type = type++, .set = &wide.set));
    add(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = item(INT(0, 0, NL_SIGNED))));
    add(&outer, OP(.kind = NL_K_ARRAY, .type = type++, .item = item(OP(.kind = NL_K_FIXED, .size = 6))));
    add(&outer, KIND(type++, NL_K_VIEW));
    add(&outer, KIND(type++, NL_K_SOCKADDR));
    add(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = item(KIND(0, NL_K_SOCKADDR))));
    add(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = item(OP(.kind = NL_K_STRUCT, .set = &stats.set))));
    add(&outer, OP(.kind = NL_K_STRUCTS, .type = type++, .item = item(OP(.kind = NL_K_STRUCT, .set = &stats.set))));
    const struct nl_op *counted = item(OP(.kind = NL_K_NESTED, .set = &numbered.set));
    add(&outer, OP(.kind = NL_K_ARRAY, .type = type++, .item = counted));
    add(&outer, OP(.kind = NL_K_ARRAY, .type = type++, .item = counted, .depth = 2));
    add(&outer, OP(.kind = NL_K_RARE, .type = type++, .set = &loop.set));
    add(&outer, OP(.kind = NL_K_NESTED, .type = type++, .set = &loop.set));
    add(&outer, OP(.kind = NL_K_NESTED, .type = type++, .set = &asks.set));
    add(&outer, OP(.kind = NL_K_RARE, .type = type++, .set = &asks.set));
    const struct nl_op *asking = item(OP(.kind = NL_K_NESTED, .set = &asks.set));
    add(&outer, OP(.kind = NL_K_REPEATED, .type = type++, .item = asking));
    add(&outer, OP(.kind = NL_K_ARRAY, .type = type++, .item = asking));
    add(&outer, OP(.kind = NL_K_SUBMESSAGE, .type = type++, .in_header = 1, .sibling = &head.ops[0], .cases = by_head,
                   .case_count = 2));
    add(&outer, OP(.kind = NL_K_CHAIN, .type = type++, .item = item(OP(.kind = NL_K_NESTED, .set = &route.set))));
    add(&outer, OP(.kind = NL_K_SEQUENCE, .type = type++, .item = again));
    add(&outer, OP(.kind = NL_K_SEQUENCE, .type = type++, .item = item(OP(.kind = NL_K_NESTED, .set = &other.set))));
    add(&outer,
        OP(.kind = NL_K_STRUCTS, .type = type++, .width = 4, .item = item(OP(.kind = NL_K_STRUCT, .set = &head.set))));
    static struct nl_op reference;
    type = add_rare(type, &reference);
    CHECK(type <= LIMIT);
    outer.index[type] = &skip;
    outer.set.limit = (uint16_t)(type + 1);
    outer.set.annex = &reference;
    set_header(&outer);
    finish(&address_of, &outer);
    finish(&ports_of, &outer);
}

static volatile uint8_t sink;

static void touch(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sink ^= p[i];
}

static const struct nl_area *datagrams; /* of the checked record */
static int copied;                      /* whether it is a copy */

static void inside(const struct nl_area *heap, size_t offset, size_t size)
{
    CHECK(offset >= 8 && offset <= heap->size && size <= heap->size - offset);
    touch(heap->data + offset, size);
}

static void walk(const struct nl_set *set, const uint8_t *record, const struct nl_area *heap);

static void walk_unknown(uint32_t at, uint32_t record_size, const struct nl_area *heap)
{
    for (size_t n = 0; at; n++) {
        struct nl_unknown u;
        inside(heap, at, sizeof u);
        memcpy(&u, heap->data + at, sizeof u);
        inside(heap, at + sizeof u, u.size);
        CHECK(u.owner < record_size);
        CHECK((copied ? !u.next || u.next > at : u.next < at) && n < heap->size); /* newest first */
        at = u.next;
    }
}

static void walk_apart(const struct nl_set *set, size_t at, const struct nl_area *heap)
{
    inside(heap, at, set->record_size + 4);
    walk(set, heap->data + at, heap);
    walk_unknown(nl_load32(heap->data + at + set->record_size), set->record_size, heap);
}

static void walk_value(const struct nl_op *op, const uint8_t *from, const struct nl_area *heap)
{
    switch (op->kind) {
    case NL_K_FLAG:
        CHECK(*from == 1);
        break;
    case NL_K_ADDRESS:
        CHECK(op->size == 4 || op->size == 16 || (op->size == NL_ADDRESS && (from[4] == 4 || from[4] == 6)));
        if (op->size == NL_ADDRESS && from[4] == 6)
            inside(heap, nl_load32(from), 16);
        break;
    case NL_K_VIEW: {
        struct nl_ref ref;
        memcpy(&ref, from, sizeof ref);
        CHECK(ref.offset <= datagrams->size && ref.size <= datagrams->size - ref.offset);
        if (ref.size)
            touch(datagrams->data + ref.offset, ref.size);
        break;
    }
    case NL_K_ADDRESS_BY:
    case NL_K_SOCKADDR:
        CHECK(from[16] == 6 || (from[16] == 4 && !memcmp(from, nl_mapped, sizeof nl_mapped)));
        break;
    case NL_K_STRING:
    case NL_K_BINARY:
    case NL_K_REST:
    case NL_K_PACKED: {
        struct nl_ref ref;
        memcpy(&ref, from, sizeof ref);
        CHECK(!ref.size == !ref.offset);
        CHECK(op->kind != NL_K_REST || ref.size);
        if (ref.size)
            inside(heap, ref.offset, ref.size);
        CHECK(op->kind != NL_K_PACKED || ref.size % op->width == 0);
        CHECK(op->kind != NL_K_STRING || !ref.size || heap->data[ref.offset + ref.size - 1]);
        break;
    }
    case NL_K_NESTED:
    case NL_K_STRUCT:
        walk(op->set, from, heap);
        break;
    case NL_K_RARE: {
        uint32_t at;
        memcpy(&at, from, 4);
        walk_apart(op->set, at, heap);
        break;
    }
    case NL_K_REPEATED:
    case NL_K_ARRAY:
    case NL_K_STRUCTS:
    case NL_K_SEQUENCE:
    case NL_K_CHAIN: {
        struct nl_list list;
        memcpy(&list, from, sizeof list);
        CHECK(!list.first == !list.last && (list.first || op->kind != NL_K_REPEATED));
        for (uint32_t at = list.first; at;) {
            inside(heap, at, 4);
            uint32_t next = nl_load32(heap->data + at);
            if (op->item->kind == NL_K_NESTED) {
                walk_apart(op->item->set, (size_t)at + 4, heap);
            } else {
                inside(heap, (size_t)at + 4, op->item->size + 1);
                CHECK(heap->data[at + 4 + op->item->size] == 1);
                walk_value(op->item, heap->data + at + 4, heap);
            }
            CHECK(next ? next > at : at == list.last);
            at = next;
        }
        break;
    }
    case NL_K_SUBMESSAGE: {
        struct nl_sub sub;
        memcpy(&sub, from, sizeof sub);
        CHECK(!sub.raw == !sub.raw_size);
        if (sub.raw_size)
            inside(heap, sub.raw, sub.raw_size);
        if (sub.record) {
            CHECK(sub.which < op->case_count);
            walk_apart(op->cases[sub.which].set, sub.record, heap);
        }
        break;
    }
    default:
        break;
    }
}

/* bits: of the record, cleared as their fields are found. */
static void walk_fields(const struct nl_set *set, const uint8_t *record, const struct nl_area *heap, uint8_t *bits)
{
    unsigned count = set->op_count + (set->header ? 1u : 0u); /* the header is behind them */
    for (unsigned i = 0; i < count; i++) {
        const struct nl_op *op = &set->ops[i];
        if (op->kind == NL_K_CONTAINER) {
            walk_fields(op->set, record, heap, bits);
            continue;
        }
        if (op->kind == NL_K_ANNEX) {
            CHECK(op->offset == outer.set.annex->offset && op->set == outer.set.annex->set);
            continue;
        }
        bits[op->bit / 8] &= (uint8_t)~(1u << op->bit % 8);
        if (nl_present(set, record, op->bit))
            walk_value(op, record + op->offset, heap);
        else
            for (uint32_t n = 0; n < op->size; n++)
                CHECK(!record[op->offset + n]); /* as to_numpy shows it */
    }
    for (unsigned level = 0; level < NL_KEYS_MAX; level++) {
        const struct nl_op *key = set->keys[level];
        if (!key)
            continue;
        bits[key->bit / 8] &= (uint8_t)~(1u << key->bit % 8);
        if (nl_present(set, record, key->bit))
            CHECK(record[key->offset + 1] <= NL_ATTR_TYPE >> 8);
        else
            CHECK(!record[key->offset] && !record[key->offset + 1]);
    }
}

static void walk(const struct nl_set *set, const uint8_t *record, const struct nl_area *heap)
{
    uint8_t bits[64] = {0};
    CHECK(set->record_size - set->presence <= sizeof bits);
    memcpy(bits, record + set->presence, set->record_size - set->presence);
    walk_fields(set, record, heap, bits);
    for (size_t i = 0; i < sizeof bits; i++)
        CHECK(!bits[i]);
    if (set->annex && nl_load32(record + set->annex->offset))
        walk_apart(set->annex->set, nl_load32(record + set->annex->offset), heap);
}

/* A decoded input, in memory of just its size. */
struct result {
    uint8_t *record;
    struct nl_area heap, datagrams, out;
    struct nl_fault fault;
    int decoded, encoded;
};

static void free_result(struct result *r)
{
    free(r->record);
    nl_area_free(&r->heap);
    nl_area_free(&r->datagrams);
    nl_area_free(&r->out);
}

/* shapes: NULL for nl_decode. */
static struct result once(const uint8_t *data, size_t size, struct nl_shapes *shapes)
{
    struct result r = {0};
    struct nl_fault fault = {0};
    uint8_t *p = malloc(size ? size : 1);
    r.record = calloc(1, outer.set.record_size + 4);
    CHECK(p && r.record);
    if (size)
        memcpy(p, data, size);
    /* Every other input as a stream has it: received into the datagrams. */
    int in_place = size && size % 2;
    if (in_place)
        r.datagrams = (struct nl_area){.data = p, .size = size, .capacity = size};
    if (shapes) {
        memset(r.record, 0xa5, outer.set.record_size + 4);
        r.decoded = nl_decode_shaped(shapes, &outer.set, p, size, r.record, &r.heap, &r.datagrams, &fault);
    } else {
        r.decoded = nl_decode(&outer.set, p, size, r.record, &r.heap, &r.datagrams, &fault);
    }
    r.fault = fault;
    CHECK(!in_place || (r.datagrams.data == p && r.datagrams.size == size));
    if (r.decoded < 0) {
        CHECK(fault.kind > NL_FAULT_NONE && fault.kind < NL_FAULT_MEMORY);
        CHECK(fault.offset <= size && fault.depth <= NL_PATH_MAX);
        for (unsigned i = 0; i < fault.depth; i++)
            CHECK(fault.path[i] && fault.path[i]->kind < NL_KINDS && fault.path[i]->kind != NL_K_EVENT);
        if (fault.kind == NL_FAULT_WIDTH)
            CHECK(fault.depth && fault.want != fault.got && fault.got <= size - fault.offset);
        if (fault.kind == NL_FAULT_ATTRIBUTE)
            CHECK(fault.got && fault.got <= size - fault.offset);
    }
    if (!in_place)
        free(p); /* a record refers to no input */
    if (r.decoded == 0) {
        datagrams = &r.datagrams;
        walk(&outer.set, r.record, &r.heap);
        walk_unknown(nl_load32(r.record + outer.set.record_size), outer.set.record_size, &r.heap);
        struct nl_bytes bytes = {r.heap.data, r.datagrams.data};
        r.encoded = nl_encode(&outer.set, r.record, &bytes, &r.out);
        CHECK(r.encoded == 0 || r.encoded == -E2BIG);
        touch(r.out.data, r.out.size);
    }
    return r;
}

static void same_unknown(const struct result *one, const struct result *two)
{
    struct nl_unknown u, v;
    uint32_t at = nl_load32(one->record + outer.set.record_size), its = nl_load32(two->record + outer.set.record_size);
    for (; at && its; at = u.next, its = v.next) {
        CHECK(one->heap.data && two->heap.data);
        memcpy(&u, one->heap.data + at, sizeof u);
        memcpy(&v, two->heap.data + its, sizeof v);
        CHECK(u.owner == v.owner && u.size == v.size && u.type == v.type);
        CHECK(!memcmp(one->heap.data + at + sizeof u, two->heap.data + its + sizeof v, u.size));
    }
    CHECK(at == its);
}

static void copy(const struct result *from)
{
    struct result to = {0};
    struct nl_area records = {0};
    struct nl_copier c = {{from->heap.data, from->datagrams.data}, &to.heap, &to.datagrams, 0};
    uint32_t unknown = nl_load32(from->record + outer.set.record_size);
    CHECK(nl_copy_record(&c, &outer.set, from->record, unknown, 0, &records) == 0);
    CHECK(records.size == outer.set.record_size + 4 && to.heap.size <= from->heap.size);
    to.record = records.data;
    datagrams = &to.datagrams;
    copied = 1;
    walk(&outer.set, to.record, &to.heap);
    walk_unknown(nl_load32(to.record + outer.set.record_size), outer.set.record_size, &to.heap);
    copied = 0;
    same_unknown(from, &to);
    struct nl_bytes bytes = {to.heap.data, to.datagrams.data};
    to.encoded = nl_encode(&outer.set, to.record, &bytes, &to.out);
    CHECK(to.encoded == from->encoded && to.out.size == from->out.size);
    CHECK(!to.out.size || !memcmp(to.out.data, from->out.data, to.out.size));
    to.record = NULL;
    nl_area_free(&records);
    free_result(&to);
}

/* The same with its heap behind another one. */
static void move(const struct result *from)
{
    struct nl_area heap = {0}, out = {0};
    size_t stride = outer.set.record_size + 4, before = 8 + from->heap.size % 40;
    uint8_t *record = malloc(stride);
    CHECK(record && nl_area_reserve(&heap, before + from->heap.size) == 0 && heap.data);
    memset(heap.data, 0, before);
    if (from->heap.size)
        memcpy(heap.data + before, from->heap.data, from->heap.size);
    heap.size = before + from->heap.size;
    memcpy(record, from->record, stride);
    struct nl_mover mover = {heap.data, (uint32_t)before};
    nl_move_records(&mover, &outer.set, record, 1);
    datagrams = &from->datagrams;
    walk(&outer.set, record, &heap);
    walk_unknown(nl_load32(record + outer.set.record_size), outer.set.record_size, &heap);
    struct result to = {.record = record, .heap = heap};
    same_unknown(from, &to);
    struct nl_bytes bytes = {heap.data, from->datagrams.data};
    int encoded = nl_encode(&outer.set, record, &bytes, &out);
    CHECK(encoded == from->encoded && out.size == from->out.size);
    CHECK(!out.size || !memcmp(out.data, from->out.data, out.size));
    free(record);
    nl_area_free(&heap);
    nl_area_free(&out);
}

static void strip(const struct nl_set *set, const uint8_t *payload, size_t size, struct nl_area *out);

static void strip_items(const struct nl_set *set, unsigned levels, struct nl_cursor c, struct nl_area *out)
{
    struct nl_attribute a;
    size_t at;
    while (nl_next_attribute(&c, &a) == NL_ITEM) {
        CHECK(nl_open_attribute(out, a.type, &at) == 0);
        if (levels > 1)
            strip_items(set, levels - 1, (struct nl_cursor){a.payload, a.size}, out);
        else
            strip(set, a.payload, a.size, out);
        CHECK(nl_close_attribute(out, at) == 0);
    }
}

/* The payload again, without the attributes of which a later one counts. */
static void strip(const struct nl_set *set, const uint8_t *payload, size_t size, struct nl_area *out)
{
    struct nl_cursor c = {payload, size};
    struct nl_attribute a;
    while (nl_next_attribute(&c, &a) == NL_ITEM) {
        unsigned type = a.type & NL_ATTR_TYPE;
        const struct nl_op *op = type < set->limit ? set->index[type] : NULL;
        const struct nl_op *field = op && op->kind == NL_K_ANNEX ? op->item : op;
        const struct nl_set *inside = NULL;
        size_t at;
        if (op && (op->code == NL_C_STRUCT || op->code == NL_C_NESTED || op->code == NL_C_CONTAINER ||
                   op->code == NL_C_APART || (op->code == NL_C_LATE && field->kind != NL_K_REPEATED))) {
            if (nl_comes_again(c, type))
                continue;
            inside = field->kind == NL_K_STRUCT ? NULL : field->set;
        }
        if (field && field->item && field->item->kind == NL_K_NESTED && field->kind != NL_K_CHAIN &&
            field->kind != NL_K_SEQUENCE)
            inside = field->item->set;
        CHECK(nl_open_attribute(out, a.type, &at) == 0);
        if (inside && field->kind == NL_K_ARRAY) {
            strip_items(inside, field->depth, (struct nl_cursor){a.payload, a.size}, out);
        } else if (inside) {
            strip(inside, a.payload, a.size, out);
        } else {
            CHECK(nl_put(out, a.payload, a.size) == 0);
        }
        CHECK(nl_close_attribute(out, at) == 0);
    }
}

/* data, which was decoded to this. */
static void last_counts(const uint8_t *data, size_t size, const struct result *whole)
{
    struct nl_area out = {0};
    size_t header = nl_align(head.set.wire_size);
    CHECK(nl_put(&out, data, size < header ? size : header) == 0);
    if (size > header)
        strip(&outer.set, data + header, size - header, &out);
    struct result r = once(out.data, out.size, NULL);
    CHECK(r.decoded == 0 && r.encoded == whole->encoded && r.out.size == whole->out.size);
    CHECK(!r.out.size || !memcmp(r.out.data, whole->out.data, r.out.size));
    same_unknown(whole, &r);
    CHECK(r.heap.size == whole->heap.size && (!r.heap.size || !memcmp(r.heap.data, whole->heap.data, r.heap.size)));
    free_result(&r);
    nl_area_free(&out);
}

/* data, which has this shape: by it and without. */
static void both_ways(const uint8_t *data, size_t size, struct nl_shapes *shapes)
{
    uint32_t hits = shapes->known[0]->hits;
    struct result plain = once(data, size, NULL), shaped = once(data, size, shapes);
    CHECK(shapes->known[0]->hits == hits + 1);
    CHECK(plain.decoded == shaped.decoded);
    if (plain.decoded == 0) {
        CHECK(plain.encoded == shaped.encoded && plain.out.size == shaped.out.size);
        CHECK(!plain.out.size || !memcmp(plain.out.data, shaped.out.data, plain.out.size));
        same_unknown(&plain, &shaped);
    } else {
        CHECK(plain.fault.kind == shaped.fault.kind && plain.fault.offset == shaped.fault.offset);
        CHECK(plain.fault.depth == shaped.fault.depth);
    }
    free_result(&plain);
    free_result(&shaped);
}

static void by_shape(const uint8_t *data, size_t size)
{
    struct nl_shapes shapes = {0};
    struct nl_shape *s = nl_shape_new(&outer.set, data, size);
    uint8_t *other = malloc(size ? size : 1);
    CHECK(other);
    if (s) {
        shapes.count = 1;
        shapes.known[0] = s;
        shapes.size[0] = s->size;
        shapes.rest[0] = s->rest;
        both_ways(data, size, &shapes);
        for (size_t i = 0; i < size; i++)
            other[i] = data[i] ^ (i < s->size && s->mask[i] ? 0 : (uint8_t)(i * 29 + size));
        both_ways(other, size, &shapes);
    }
    free(other);
    nl_shapes_free(&shapes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    make();
    struct result first = once(data, size, NULL);
    by_shape(data, size);
    if (first.decoded == 0) {
        copy(&first);
        move(&first);
        last_counts(data, size, &first);
    }
    if (first.decoded == 0 && first.encoded == 0) {
        struct result again = once(first.out.data, first.out.size, NULL);
        CHECK(again.decoded == 0 && again.encoded == 0);
        CHECK(again.out.size == first.out.size);
        CHECK(!memcmp(again.out.data, first.out.data, first.out.size));
        free_result(&again);
    }
    free_result(&first);
    return 0;
}

#ifdef STANDALONE
static const char *const texts[] = {"vlan", "", "eth0", "x"};

static void seed_set(const struct nl_set *set, struct nl_area *out);
static void seed_fields(const struct nl_set *set, struct nl_area *out);

static void seed_value(const struct nl_op *op, struct nl_area *out);

static void seed_items(const struct nl_op *item, unsigned levels, struct nl_area *out)
{
    for (uint64_t n = next() % 4; n; n--) {
        size_t at;
        CHECK(nl_open_attribute(out, (uint16_t)n, &at) == 0);
        if (levels > 1)
            seed_items(item, levels - 1, out);
        else
            seed_value(item, out);
        CHECK(nl_close_attribute(out, at) == 0);
    }
}

/* A payload that op takes, mostly. */
static void seed_value(const struct nl_op *op, struct nl_area *out)
{
    static const uint8_t widths[] = {1, 2, 4, 8};
    uint8_t bytes[256];
    size_t size = next() % 12;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = next() % 3 ? (uint8_t)next() : (uint8_t)(next() % 3);
    switch (op->kind) {
    case NL_K_NESTED:
    case NL_K_CONTAINER:
    case NL_K_RARE:
        seed_set(op->set, out);
        return;
    case NL_K_ANNEX:
        seed_value(op->item, out);
        return;
    case NL_K_SUBMESSAGE: {
        const struct nl_set *set = op->cases[next() % op->case_count].set;
        if (set->rest)
            size += 8;
        if (set->rest)
            CHECK(nl_put(out, bytes, size) == 0);
        else if (set->wire_size || set->header)
            CHECK(nl_put(out, bytes, set->wire_size ? next() % (set->wire_size + 2) : next() % 16 ? 8 : 4) == 0);
        if (!set->wire_size && !set->rest)
            seed_set(set, out);
        return;
    }
    case NL_K_ARRAY:
        seed_items(op->item, op->depth, out);
        return;
    case NL_K_STRUCTS: {
        uint32_t count = next() % 4;
        if (op->width)
            CHECK(nl_put(out, &count, sizeof count) == 0);
        size = count * op->item->set->wire_size;
        break;
    }
    case NL_K_REPEATED:
        seed_value(op->item, out);
        return;
    case NL_K_SEQUENCE:
        for (uint64_t n = next() % 3; n; n--)
            seed_set(op->item->set, out);
        return;
    case NL_K_CHAIN:
        for (uint64_t n = next() % 3; n; n--) {
            size_t at = out->size;
            CHECK(nl_put(out, "\0\0\1\2\3\4\0\0", 8) == 0);
            seed_set(op->item->set, out);
            out->data[at] = (uint8_t)(out->size - at);
            out->data[at + 1] = (uint8_t)((out->size - at) >> 8);
        }
        return;
    case NL_K_STRING: {
        const char *text = texts[next() % 4];
        CHECK(nl_put(out, text, strlen(text) + next() % 2) == 0);
        return;
    }
    case NL_K_INT:
        size = op->width ? op->width : widths[next() % 4];
        if (op->width == 1 && next() % 2)
            bytes[0] = op->flags & NL_BIG ? NL_AF_INET : next() % 2 ? 1 : 0xfe;
        break;
    case NL_K_FLAG:
        size = 0;
        break;
    case NL_K_FIXED:
        size = op->size;
        break;
    case NL_K_ADDRESS:
        size = op->width ? op->width : next() % 2 ? 4 : 16;
        break;
    case NL_K_ADDRESS_BY:
        size = 16;
        break;
    case NL_K_SOCKADDR:
        bytes[0] = next() % 2 ? NL_AF_INET : NL_AF_INET6;
        bytes[1] = next() % 64 == 0;
        size = next() % 64 ? 28 : 16 + next() % 16;
        break;
    case NL_K_STRUCT:
        size = next() % 70;
        bytes[42 + 18] = next() % 2 ? NL_AF_INET : 0;
        break;
    case NL_K_PACKED:
        size = next() % 4 * op->width;
        break;
    default:
        break;
    }
    CHECK(nl_put(out, bytes, size) == 0);
}

/* Records of loop inside each other, about as deep as they may be. */
static void seed_chain(unsigned depth, struct nl_area *out)
{
    size_t at, inner;
    uint16_t type = (uint16_t)(1 + next() % 3);
    if (!depth)
        return;
    if (next() % 4 == 0) {
        CHECK(nl_open_attribute(out, 4, &at) == 0 && nl_put(out, "\1", 1) == 0 && nl_close_attribute(out, at) == 0);
        type = 5;
    }
    CHECK(nl_open_attribute(out, type, &at) == 0);
    if (type == 3)
        CHECK(nl_open_attribute(out, (uint16_t)(next() % 9), &inner) == 0);
    seed_chain(depth - 1, out);
    if (type == 3)
        CHECK(nl_close_attribute(out, inner) == 0);
    CHECK(nl_close_attribute(out, at) == 0);
}

static void seed_set(const struct nl_set *set, struct nl_area *out)
{
    static unsigned depth;
    if (set == &loop.set && (next() % 8 == 0 || depth > 3)) {
        seed_chain((unsigned)(next() % 128 ? next() % 4 : NL_DEPTH_MAX - 2 + next() % 5), out);
        return;
    }
    depth++;
    seed_fields(set, out);
    depth--;
}

/* Some attributes of a set. */
static void seed_fields(const struct nl_set *set, struct nl_area *out)
{
    static uint8_t again[UINT16_MAX / 4];
    unsigned start = (unsigned)(next() % (set->op_count + 1u)), step = 1 + (unsigned)(next() % 5);
    size_t before = out->size;
    for (unsigned i = 0; i < set->op_count; i += step) {
        const struct nl_op *op = &set->ops[(start + i) % set->op_count];
        size_t at;
        uint16_t type = next() % 32 ? op->type : (uint16_t)(next() % (next() % 2 ? set->limit + 2u : UINT16_MAX));
        for (unsigned times = next() % 8 ? 1 : 2 + (unsigned)(next() % 2); times; times--) {
            CHECK(nl_open_attribute(out, type, &at) == 0);
            seed_value(op, out);
            if (set->lenient && !op->set && !op->cases && next() % 8 == 0)
                CHECK(nl_put(out, "\1", 1) == 0);
            CHECK(nl_close_attribute(out, at) == 0);
        }
    }
    if (out->size > before + 8 && next() % 4 == 0 && out->size < UINT16_MAX / 4) /* all of them again */
        CHECK(nl_put(out, memcpy(again, out->data + before, out->size - before), out->size - before) == 0);
}

/* Runs so many inputs and those in the files. Prints how many of the former there were, and were decoded. */
int main(int argc, char **argv)
{
    static const uint8_t edges[] = {0, 1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 0x7f, 0x80, 0xff};
    CHECK(argc >= 2);
    long rounds = atol(argv[1]), decoded = 0;
    make();
    run_files(argc - 2, argv + 2);
    for (long i = 0; i < rounds; i++) {
        struct nl_area seed = {0};
        CHECK(nl_put(&seed, "\1\2\3\4\5\0\0\0", 8) == 0);
        seed_set(&outer.set, &seed);
        size_t length = seed.size;
        if (i % 2) {
            if (next() % 4 == 0)
                length = next() % (length + 1);
            for (uint64_t n = next() % 4; length && n; n--)
                seed.data[next() % length] = next() % 2 ? edges[next() % sizeof edges] : (uint8_t)next();
        }
        struct result r = once(seed.data, length, NULL);
        decoded += r.decoded == 0;
        free_result(&r);
        LLVMFuzzerTestOneInput(seed.data, length);
        nl_area_free(&seed);
    }
    printf("%ld %ld\n", rounds, decoded);
    return 0;
}
#endif
