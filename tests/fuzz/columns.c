/* What the C of the Arrow columns does at its limits, which stand lower here, and with parts that are taken away. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#undef INT32_MAX
#define INT32_MAX 100

#include "../../src/netlink/_engine/arrow.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { ROWS = 50, LONG = 30, PRESENT = 8, MISSING = 9, SIZE = 10 };

static const struct nl_column text = {
    .name = "text", .format = "u", .kind = NL_COL_TEXT, .mask = 1, .presence = PRESENT};
static const struct nl_column absent = {
    .name = "absent", .format = "L", .kind = NL_COL_FIXED, .mask = 1, .presence = MISSING, .width = 8};
static const struct nl_column state = {
    .name = "state", .format = "i", .kind = NL_COL_TERM, .mask = 1, .width = 4, .presence = PRESENT, .offset = 4};
static const struct nl_column *columns[] = {&text, &absent, &state};
static const struct nl_column root = {
    .name = "", .format = "+s", .kind = NL_COL_STRUCT, .child_count = 3, .children = columns};

static uint8_t records[ROWS][SIZE];
static uint8_t heap[ROWS * LONG + 200];

static struct nl_rows source(uint32_t size)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        struct nl_ref ref = {8 + i * LONG, size};
        memcpy(records[i], &ref, sizeof ref);
        records[i][PRESENT] = 1;
    }
    for (size_t i = 0; i < sizeof heap; i++)
        heap[i] = (uint8_t)('a' + i % 26);
    struct nl_rows all = {records[0], SIZE, ROWS, {heap, NULL}};
    return all;
}

static int dropped;

static void drop(void *owner)
{
    CHECK(owner == &dropped);
    dropped++;
}

/* A stream gives less at a time where there would be too much; an array is refused. */
static void test_parts(void)
{
    struct nl_rows all = source(LONG);
    struct ArrowArrayStream stream;
    struct ArrowArray array;
    int64_t rows = 0;
    CHECK(!nl_array_stream_init(&stream, &root, &all, drop, &dropped));
    for (;;) {
        CHECK(!stream.get_next(&stream, &array));
        CHECK(!stream.get_last_error(&stream));
        if (!array.release)
            break;
        CHECK(array.length >= 1 && array.length <= INT32_MAX / LONG);
        CHECK(array.children && array.children[0]);
        const int32_t *offsets = (const int32_t *)array.children[0]->buffers[1];
        const char *data = (const char *)array.children[0]->buffers[2];
        for (int64_t i = 0; i < array.length; i++, rows++) {
            CHECK(offsets[i + 1] - offsets[i] == LONG);
            CHECK(!memcmp(data + offsets[i], heap + 8 + rows * LONG, LONG));
        }
        array.release(&array);
    }
    CHECK(rows == ROWS);
    CHECK(!dropped);
    stream.release(&stream);
    CHECK(dropped == 1 && !stream.release);

    struct nl_builder builder;
    CHECK(!nl_builder_init(&builder, &root));
    CHECK(nl_export_rows(&builder, &all, 0, ROWS, &array) == EOVERFLOW);
    CHECK(!nl_export_rows(&builder, &all, 0, 2, &array));
    array.release(&array);
    nl_builder_free(&builder);
}

/* One value that is too much ends in an error, again and again. */
static void test_too_much(void)
{
    struct nl_rows all = source(INT32_MAX + 1);
    struct ArrowArrayStream stream;
    struct ArrowArray array;
    CHECK(!nl_array_stream_init(&stream, &root, &all, drop, &dropped));
    for (int i = 0; i < 2; i++) {
        CHECK(stream.get_next(&stream, &array) == EOVERFLOW);
        CHECK(!array.release);
        CHECK(strstr(stream.get_last_error(&stream), "2 GiB"));
    }
    stream.release(&stream);
}

/* More numbers without a name than a dictionary holds. */
static void test_terms(void)
{
    struct nl_terms terms = {0};
    int64_t i = 0, index;
    while ((index = nl_term(&terms, (uint64_t)i * 7)) >= 0)
        CHECK(index == i++);
    CHECK(index == -EOVERFLOW && i >= 16);
    CHECK(nl_term(&terms, 7) == 1);
    free(terms.values);
    free(terms.slots);
    free(terms.next);
}

/* How many values nl_term looks at on its way to so many that have one hash under a certain secret. */
static uint64_t looked_at(uint64_t secret, uint32_t *count)
{
    struct nl_terms terms = {0};
    uint64_t inverse = secret, sum = 0;
    for (int i = 0; i < 6; i++)
        inverse *= 2 - secret * inverse;
    for (*count = 0; nl_term(&terms, *count * inverse) == *count; ++*count)
        ;
    for (uint32_t i = 0; i < *count; i++) {
        uint64_t steps = 0;
        const uint32_t *slot = nl_term_slot(&terms, terms.values[i]);
        for (uint32_t at = *slot; at; at = terms.next[at - 1])
            steps++;
        sum += steps;
    }
    free(terms.values);
    free(terms.slots);
    free(terms.next);
    return sum;
}

/* Chosen numbers cost what others do to those who have not told their secret. */
static void test_chosen_numbers(void)
{
    const uint64_t told = nl_term_secret;
    uint32_t count;
    CHECK(looked_at(told, &count) == (uint64_t)count * (count + 1) / 2 && count >= 16);
    for (int i = 0; i < 100; i++) {
        nl_term_secret = nl_term_secret * UINT64_C(0xd1342543de82ef95) | 1;
        CHECK(looked_at(told, &count) <= 4 * (uint64_t)count);
    }
}

/* Children outlive their parents, in any order. */
static void test_moved_parts(void)
{
    struct nl_rows all = source(1);
    struct nl_builder builder;
    struct ArrowArray array, parts[3], names;
    struct ArrowSchema schema, part;
    CHECK(!nl_builder_init(&builder, &root));
    CHECK(!nl_export_rows(&builder, &all, 0, ROWS, &array));
    nl_builder_free(&builder);
    CHECK(array.n_children == 3 && array.length == ROWS);
    for (int i = 0; i < 3; i++) {
        parts[i] = *array.children[i];
        array.children[i]->release = NULL;
    }
    array.release(&array);
    CHECK(!array.release);
    names = *parts[2].dictionary;
    parts[2].dictionary->release = NULL;
    parts[2].release(&parts[2]);
    parts[0].release(&parts[0]);
    CHECK(parts[1].null_count == ROWS);
    for (int i = 0; i < ROWS; i++)
        CHECK(!((const uint64_t *)parts[1].buffers[1])[i]);
    parts[1].release(&parts[1]);
    CHECK(names.length == 1);
    CHECK(!memcmp(names.buffers[2], "1", 1));
    names.release(&names);

    CHECK(!nl_schema_export(&root, &schema));
    part = *schema.children[2];
    schema.children[2]->release = NULL;
    schema.release(&schema);
    CHECK(!strcmp(part.name, "state") && !strcmp(part.format, "i") && !strcmp(part.dictionary->format, "u"));
    part.release(&part);
}

int main(void)
{
    test_parts();
    test_too_much();
    test_terms();
    test_chosen_numbers();
    test_moved_parts();
    return 0;
}
