/* Fuzz target: Arrow columns of records that are made of the input.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes so many inputs and takes those in
 * files. Each value in the arrays
 * must be that of its record, text valid UTF-8, and addresses what inet_pton reads as the same. */
#include "../../src/netlink/_engine/arrow.h"

#include <arpa/inet.h>

#include "target.h"

/* The record: its fields, and a byte of presence for each. */
struct row {
    uint32_t number;
    int8_t term;
    uint8_t mac[6];
    uint8_t address[NL_ADDRESS];
    struct nl_ref text, binary, view, packed;
    struct nl_list list;
    struct nl_sub sub;
    uint32_t rare;
    uint8_t present[24];
};

/* A list's item, and a record that lies apart. */
struct item {
    uint16_t number;
    uint8_t present;
};

enum {
    NUMBER,
    TERM,
    ON,
    ADDRESS,
    MAPPED,
    MAC,
    TEXT,
    BINARY,
    LLADDR,
    VIEW,
    PACKED,
    LIST,
    SUB,
    RARE,
    CASE,
    RECORD,
    TEXTS,
    TERMS,
    COLUMNS,
    PROTOTYPES = 6
};

#define AT(field, n) .offset = offsetof(struct row, field), .presence = offsetof(struct row, present) + n, .mask = 1
#define ITEM .offset = offsetof(struct item, number), .presence = offsetof(struct item, present), .mask = 1

static const uint64_t term_values[] = {1, (uint64_t)-2};
static const char *term_names[] = {"one", "minus two"};
static const struct nl_hop rare_hop = {offsetof(struct row, rare), NL_HOP_RARE};
static const struct nl_hop case_hop = {offsetof(struct row, sub), 1};
static const struct nl_op item_op = {
    .code = NL_C_SWAP16, .kind = NL_K_INT, .width = 2, .flags = NL_BIG, .type = 5, .size = 2};
static const struct nl_set item_set = {
    .op_count = 1, .ops = &item_op, .record_size = sizeof(struct item), .presence = offsetof(struct item, present)};
static const struct nl_column list_item = {.name = "item", .format = "S", .kind = NL_COL_FIXED, .width = 2, ITEM};
static const struct nl_column packed_item = {.name = "item", .format = "S", .kind = NL_COL_FIXED, .width = 2};
static const struct nl_column text_item = {
    .name = "item", .format = "u", .kind = NL_COL_TEXT, .presence = offsetof(struct nl_one_text, present), .mask = 1};
static const struct nl_column term_item = {.name = "item",
                                           .format = "i",
                                           .kind = NL_COL_TERM,
                                           .width = 2,
                                           .term_count = 1,
                                           .term_values = term_values,
                                           .term_names = term_names};
static const struct nl_column *text_items[] = {&text_item}, *term_items[] = {&term_item};
static const struct nl_column *list_items[] = {&list_item}, *packed_items[] = {&packed_item};
static const struct nl_column columns[COLUMNS] = {
    {.name = "number", .format = "I", .kind = NL_COL_FIXED, .width = 4, AT(number, NUMBER)},
    {.name = "term",
     .format = "i",
     .kind = NL_COL_TERM,
     .width = 1,
     .flags = NL_SIGNED,
     AT(term, TERM),
     .term_count = 2,
     .term_values = term_values,
     .term_names = term_names},
    {.name = "on", .format = "b", .kind = NL_COL_TRUE, AT(number, ON)},
    {.name = "address", .format = "u", .kind = NL_COL_ADDRESS, .width = NL_ADDRESS, AT(address, ADDRESS)},
    {.name = "mapped", .format = "w:16", .kind = NL_COL_MAPPED, .width = NL_ADDRESS, AT(address, MAPPED)},
    {.name = "mac", .format = "u", .kind = NL_COL_MAC, .width = 6, AT(mac, MAC)},
    {.name = "text", .format = "u", .kind = NL_COL_TEXT, AT(text, TEXT)},
    {.name = "binary", .format = "z", .kind = NL_COL_BINARY, AT(binary, BINARY)},
    {.name = "lladdr", .format = "u", .kind = NL_COL_LLADDR, AT(binary, LLADDR)},
    {.name = "view", .format = "z", .kind = NL_COL_VIEW, AT(view, VIEW)},
    {.name = "packed",
     .format = "+l",
     .kind = NL_COL_PACKED,
     AT(packed, PACKED),
     .child_count = 1,
     .children = packed_items},
    {.name = "list", .format = "+l", .kind = NL_COL_LIST, AT(list, LIST), .child_count = 1, .children = list_items},
    {.name = "raw", .format = "z", .kind = NL_COL_RAW, AT(sub, SUB)},
    {.name = "rare", .format = "S", .kind = NL_COL_FIXED, .width = 2, ITEM, .hop_count = 1, .hops = &rare_hop},
    {.name = "case", .format = "S", .kind = NL_COL_FIXED, .width = 2, ITEM, .hop_count = 1, .hops = &case_hop},
    {.name = "record", .format = "z", .kind = NL_COL_RECORD, .set = &item_set, .hop_count = 1, .hops = &rare_hop},
    {.name = "texts", .format = "+l", .kind = NL_COL_TEXTS, AT(text, TEXTS), .child_count = 1, .children = text_items},
    {.name = "terms",
     .format = "+l",
     .kind = NL_COL_PACKED,
     AT(packed, TERMS),
     .child_count = 1,
     .children = term_items},
};
static const struct nl_column *parts[COLUMNS];
static const struct nl_column root = {
    .name = "", .format = "+s", .kind = NL_COL_STRUCT, .child_count = COLUMNS, .children = parts};

/* ---- records ---- */

/* So many bytes of the input, or what is left of it. */
static struct nl_ref refer(struct input *in, struct nl_area *area, unsigned unit)
{
    struct nl_ref ref = {0, byte(in)};
    ref.size = ref.size > in->left ? (uint32_t)in->left : ref.size;
    ref.size -= ref.size % unit;
    if (!ref.size)
        return ref;
    ref.offset = (uint32_t)area->size;
    CHECK(!nl_put(area, in->at, ref.size));
    in->at += ref.size;
    in->left -= ref.size;
    return ref;
}

static uint32_t put_item(struct input *in, struct nl_area *heap, uint32_t next)
{
    struct item item = {(uint16_t)(byte(in) << 8 | 7), 1};
    uint32_t at = (uint32_t)heap->size;
    CHECK(!nl_put(heap, &next, 4) && !nl_put(heap, &item, sizeof item));
    return at;
}

static void make_row(struct input *in, struct row *row, struct nl_area *heap, struct nl_area *datagrams)
{
    unsigned present = byte(in) | (unsigned)byte(in) << 8;
    memset(row, 0, sizeof *row);
    for (unsigned i = 0; i < COLUMNS; i++)
        row->present[i] = present >> i % 16 & 1;
    row->number = byte(in) * 0x01020304u;
    row->term = (int8_t)byte(in);
    for (unsigned i = 0; i < 6; i++)
        row->mac[i] = byte(in);
    uint8_t address[16];
    uint32_t reference = (uint32_t)heap->size;
    for (unsigned i = 0; i < 16; i++)
        address[i] = byte(in);
    memcpy(row->address, address, 4);
    row->address[4] = present >> 15 ? 4 : 6;
    if (row->address[4] == 6) {
        memcpy(row->address, &reference, 4);
        CHECK(!nl_put(heap, address, 16));
    }
    row->text = refer(in, heap, 1);
    row->binary = refer(in, heap, 1);
    row->view = refer(in, datagrams, 1);
    row->packed = refer(in, heap, 2);
    for (unsigned n = byte(in) % 8 == 7 ? byte(in) * 3u : byte(in) % 4; n; n--) {
        row->list.first = put_item(in, heap, row->list.first);
        if (!row->list.last)
            row->list.last = row->list.first;
    }
    struct nl_ref raw = refer(in, heap, 1);
    row->sub = (struct nl_sub){raw.offset, raw.size, 0, UINT32_MAX};
    if (row->present[SUB] && byte(in) % 2) {
        row->sub.which = byte(in) % 2;
        row->sub.record = put_item(in, heap, 0) + 4;
    }
    if (row->present[RARE])
        row->rare = put_item(in, heap, 0) + 4;
}

/* ---- what must be in the arrays ---- */

static int is_valid(const struct ArrowArray *a, int64_t i)
{
    const uint8_t *bits = a->buffers[0];
    return !bits || bits[i / 8] >> (i % 8) & 1;
}

/* The bytes of a value; not ended by 0. */
static const char *bytes_of(const struct ArrowArray *a, int64_t i, size_t *size)
{
    const int32_t *offsets = a->buffers[1];
    CHECK(offsets[0] == 0 && offsets[i] >= 0 && offsets[i + 1] >= offsets[i]);
    *size = (size_t)(offsets[i + 1] - offsets[i]);
    return (const char *)a->buffers[2] + offsets[i];
}

static void check_bytes(const struct ArrowArray *a, int64_t i, const uint8_t *data, struct nl_ref ref)
{
    size_t size;
    const char *value = bytes_of(a, i, &size);
    CHECK(size == ref.size && (!size || !memcmp(value, data + ref.offset, size)));
}

/* By the numbers of the characters, as Unicode has it. */
static int is_utf8(const uint8_t *p, size_t size)
{
    while (size) {
        unsigned more = *p < 0x80 ? 0 : *p >> 5 == 6 ? 1 : *p >> 4 == 14 ? 2 : *p >> 3 == 30 ? 3 : 9;
        if (more > 3 || more >= size)
            return 0;
        uint32_t character = more ? *p & (0x3fu >> more) : *p;
        for (unsigned i = 1; i <= more; i++) {
            if (p[i] >> 6 != 2)
                return 0;
            character = character << 6 | (p[i] & 0x3f);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (character < least[more] || character > 0x10ffff || character >> 11 == 0x1b)
            return 0;
        p += more + 1;
        size -= more + 1;
    }
    return 1;
}

static void check_text(const struct ArrowArray *a, int64_t i, const struct row *row, const uint8_t *heap)
{
    size_t size;
    const char *value = bytes_of(a, i, &size);
    CHECK(is_utf8((const uint8_t *)value, size));
    if (is_utf8(heap + row->text.offset, row->text.size))
        check_bytes(a, i, heap, row->text);
    else
        CHECK(memmem(value, size, "\xef\xbf\xbd", 3));
}

static void check_address(const struct ArrowArray *a, int64_t i, const struct row *row, const uint8_t *heap)
{
    int four = row->address[4] == 4;
    const uint8_t *address = four ? row->address : heap + nl_load32(row->address);
    char text[NL_ADDRESS_TEXT + 1];
    uint8_t read[16];
    size_t size;
    const char *value = bytes_of(a, i, &size);
    CHECK(size <= NL_ADDRESS_TEXT);
    memcpy(text, value, size);
    text[size] = 0;
    CHECK(inet_pton(four ? AF_INET : AF_INET6, text, read) == 1);
    CHECK(!memcmp(read, address, four ? 4 : 16));
}

static void check_mapped(const uint8_t *value, const struct row *row, const uint8_t *heap)
{
    static const uint8_t before[12] = {[10] = 0xff, [11] = 0xff};
    if (row->address[4] == 6)
        CHECK(!memcmp(value, heap + nl_load32(row->address), 16));
    else
        CHECK(!memcmp(value, before, 12) && !memcmp(value + 12, row->address, 4));
}

static void check_term(const struct ArrowArray *a, int64_t i, const struct row *row)
{
    char text[24];
    size_t size;
    const char *value = bytes_of(a->dictionary, ((const int32_t *)a->buffers[1])[i], &size);
    if (row->term == 1 || row->term == -2)
        snprintf(text, sizeof text, "%s", term_names[row->term == 1 ? 0 : 1]);
    else
        snprintf(text, sizeof text, "%d", row->term);
    CHECK(size == strlen(text) && !memcmp(value, text, size));
}

static void check_lists(const struct ArrowArray *packed, const struct ArrowArray *list, int64_t i,
                        const struct row *row, const uint8_t *heap)
{
    const int32_t *offsets = packed->buffers[1];
    const uint16_t *numbers = packed->children[0]->buffers[1];
    if (row->present[PACKED]) {
        CHECK(offsets[i + 1] - offsets[i] == (int32_t)row->packed.size / 2);
        if (row->packed.size)
            CHECK(!memcmp(numbers + offsets[i], heap + row->packed.offset, row->packed.size));
    }
    offsets = list->buffers[1];
    numbers = list->children[0]->buffers[1];
    if (!row->present[LIST])
        return;
    int32_t at = offsets[i];
    for (uint32_t entry = row->list.first; entry; entry = nl_load32(heap + entry), at++)
        CHECK(!memcmp(numbers + at, heap + entry + 4, 2));
    CHECK(at == offsets[i + 1] && at <= list->children[0]->length);
}

static void check_texts(const struct ArrowArray *a, int64_t i, const struct row *row, const uint8_t *heap)
{
    const int32_t *offsets = a->buffers[1];
    uint32_t at = 0;
    for (int32_t n = offsets[i]; n < offsets[i + 1]; n++) {
        struct row one = {.text = {row->text.offset + at, 0}};
        CHECK(at < row->text.size && is_valid(a->children[0], n));
        while (at + one.text.size < row->text.size && heap[one.text.offset + one.text.size])
            one.text.size++;
        check_text(a->children[0], n, &one, heap);
        at += one.text.size + 1;
    }
    CHECK(at >= row->text.size);
}

static void check_terms(const struct ArrowArray *a, int64_t i, const struct row *row, const uint8_t *heap)
{
    const int32_t *offsets = a->buffers[1], *indices = a->children[0]->buffers[1];
    CHECK(offsets[i + 1] - offsets[i] == (int32_t)row->packed.size / 2);
    for (int32_t n = 0; n < offsets[i + 1] - offsets[i]; n++) {
        uint16_t number;
        char text[24];
        size_t size;
        const char *value = bytes_of(a->children[0]->dictionary, indices[offsets[i] + n], &size);
        memcpy(&number, heap + row->packed.offset + 2 * n, 2);
        if (number == 1)
            snprintf(text, sizeof text, "%s", term_names[0]);
        else
            snprintf(text, sizeof text, "%u", number);
        CHECK(size == strlen(text) && !memcmp(value, text, size));
    }
}

static void check_lladdr(const struct ArrowArray *a, int64_t i, const uint8_t *bytes, size_t n)
{
    size_t size;
    const char *text = bytes_of(a, i, &size);
    CHECK(size == (n ? 3 * n - 1 : 0));
    for (size_t b = 0; b < n; b++) {
        char digits[3] = {text[3 * b], text[3 * b + 1], 0};
        CHECK(strtoul(digits, NULL, 16) == bytes[b] && (b == n - 1 || text[3 * b + 2] == ':'));
    }
}

static void check_row(const struct ArrowArray *all, int64_t i, const struct row *row, const uint8_t *heap,
                      const uint8_t *datagrams)
{
    struct ArrowArray **a = all->children;
    uint8_t present[COLUMNS];
    memcpy(present, row->present, COLUMNS);
    present[SUB] = row->present[SUB] && !row->sub.record;
    present[RECORD] = row->present[RARE];
    present[CASE] = row->sub.record && row->sub.which == 1;
    for (unsigned c = 0; c < COLUMNS; c++)
        CHECK(is_valid(a[c], i) == present[c]);
    CHECK(((const uint32_t *)a[NUMBER]->buffers[1])[i] == (present[NUMBER] ? row->number : 0));
    if (present[TERM])
        check_term(a[TERM], i, row);
    if (present[ADDRESS])
        check_address(a[ADDRESS], i, row, heap);
    if (present[MAPPED])
        check_mapped((const uint8_t *)a[MAPPED]->buffers[1] + 16 * i, row, heap);
    if (present[MAC])
        check_lladdr(a[MAC], i, row->mac, 6);
    if (present[LLADDR])
        check_lladdr(a[LLADDR], i, heap + row->binary.offset, row->binary.size);
    if (present[TEXT])
        check_text(a[TEXT], i, row, heap);
    if (present[BINARY])
        check_bytes(a[BINARY], i, heap, row->binary);
    if (present[VIEW])
        check_bytes(a[VIEW], i, datagrams, row->view);
    if (present[SUB])
        check_bytes(a[SUB], i, heap, (struct nl_ref){row->sub.raw, row->sub.raw_size});
    if (present[RARE])
        CHECK(!memcmp((const uint16_t *)a[RARE]->buffers[1] + i, heap + row->rare, 2));
    if (present[CASE])
        CHECK(!memcmp((const uint16_t *)a[CASE]->buffers[1] + i, heap + row->sub.record, 2));
    if (present[RECORD]) {
        size_t encoded;
        const char *attribute = bytes_of(a[RECORD], i, &encoded);
        CHECK(encoded == 8 && !memcmp(attribute, "\6\0\5\0", 4) && !attribute[6] && !attribute[7]);
        CHECK(attribute[4] == (char)heap[row->rare + 1] && attribute[5] == (char)heap[row->rare]);
    }
    if (present[TEXTS])
        check_texts(a[TEXTS], i, row, heap);
    if (present[TERMS])
        check_terms(a[TERMS], i, row, heap);
    check_lists(a[PACKED], a[LIST], i, row, heap);
}

/* What NumPy gets: the columns' values side by side, zeros if they are absent. */
static void check_spread(const struct nl_rows *source, const struct row *rows)
{
    enum { STRIDE = 4 + 1 + 1 + 16 + 6 + 2 };
    static const struct nl_member members[] = {{&columns[NUMBER], 0},  {&columns[TERM], 4}, {&columns[ON], 5},
                                               {&columns[ADDRESS], 6}, {&columns[MAC], 22}, {&columns[RARE], 28}};
    static const uint8_t zeros[STRIDE];
    const uint8_t *heap = source->bytes.heap;
    uint8_t *items = malloc(source->count * STRIDE + 1);
    CHECK(items);
    nl_spread(members, 6, NULL, source, items, STRIDE);
    for (size_t i = 0; i < source->count; i++) {
        const uint8_t *item = items + i * STRIDE;
        const struct row *row = &rows[i];
        CHECK(!memcmp(item, row->present[NUMBER] ? (const void *)&row->number : zeros, 4));
        CHECK((int8_t)item[4] == (row->present[TERM] ? row->term : 0) && item[5] == row->present[ON]);
        if (row->present[ADDRESS])
            check_mapped(item + 6, row, heap);
        else
            CHECK(!memcmp(item + 6, zeros, 16));
        CHECK(!memcmp(item + 22, row->present[MAC] ? row->mac : zeros, 6));
        CHECK(!memcmp(item + 28, row->present[RARE] ? heap + row->rare : zeros, 2));
    }
    free(items);
}

static long rows_checked;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct nl_area heap = {0}, datagrams = {0};
    struct row prototypes[PROTOTYPES];
    for (unsigned c = 0; c < COLUMNS; c++)
        parts[c] = &columns[c];
    size_t count = byte(&in) % 4 == 3 ? byte(&in) * 4u : byte(&in) % 16u;
    size_t cut = count ? byte(&in) % count : 0;
    uint8_t order[8];
    for (unsigned i = 0; i < sizeof order; i++)
        order[i] = byte(&in) % PROTOTYPES;
    CHECK(!nl_put(&heap, "\0\0\0\0\0\0\0", 8) && !nl_put(&datagrams, "", 1));
    for (unsigned i = 0; i < PROTOTYPES; i++)
        make_row(&in, &prototypes[i], &heap, &datagrams);
    struct row *rows = calloc(count + 1, sizeof *rows); /* the sanitizer knows where it ends */
    CHECK(rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = prototypes[order[i % sizeof order]];

    struct nl_rows source = {(const uint8_t *)rows, sizeof *rows, count, {heap.data, datagrams.data}};
    struct nl_builder builder;
    CHECK(!nl_builder_init(&builder, &root));
    for (size_t at = 0, n = cut, turn = 0; turn < 2; turn++, at = cut, n = count - cut) {
        struct ArrowArray array;
        CHECK(!nl_export_rows(&builder, &source, at, n, &array));
        CHECK(array.length == (int64_t)n && array.n_children == COLUMNS && !array.null_count);
        for (unsigned c = 0; c < COLUMNS; c++) {
            int64_t nulls = 0;
            CHECK(array.children[c]->length == (int64_t)n);
            for (size_t i = 0; i < n; i++)
                nulls += !is_valid(array.children[c], (int64_t)i);
            CHECK(nulls == array.children[c]->null_count);
        }
        for (size_t i = 0; i < n; i++)
            check_row(&array, (int64_t)i, &rows[at + i], heap.data, datagrams.data);
        array.release(&array);
        rows_checked += (long)n;
    }
    nl_builder_free(&builder);
    check_spread(&source, rows);
    free(rows);
    nl_area_free(&heap);
    nl_area_free(&datagrams);
    return 0;
}

#ifdef STANDALONE
/* Prints how many rows were looked at. */
int main(int argc, char **argv)
{
    return run_program(argc, argv, &rows_checked);
}
#endif
