/* Fuzz target: conditions on records, made of the input, on a record of the rest of it.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes so many inputs and takes those in
 * files. It must read nothing
 * beside the record, and say the same as conditions that are looked at bit by bit. */
#include "../../src/netlink/_engine/match.h"
#include "target.h"

enum { RECORD = 48, HEAP = 256 + 16, CLAUSES = 3, TESTS = 3, VALUES = 3 };

static uint64_t number(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | byte(in);
    return value;
}

struct conditions {
    struct nl_clause clauses[CLAUSES];
    struct nl_test tests[CLAUSES][TESTS];
    struct nl_range ranges[CLAUSES][TESTS][VALUES];
    struct nl_network networks[CLAUSES][TESTS][VALUES];
    size_t count;
};

static void make_test(struct input *in, struct nl_test *test, struct nl_range *ranges, struct nl_network *networks)
{
    static const uint8_t sizes[] = {1, 2, 4, 8}, address_sizes[] = {NL_ADDRESS, 4, 16, NL_WHOLE_ADDRESS};
    uint8_t how = byte(in);
    int addresses = how & 1;
    size_t values = 1 + (how >> 1) % VALUES;
    test->absent_is_zero = how >> 6 & 1;
    test->operand_count = (uint8_t)(1 + (how >> 3) % NL_OPERANDS_MAX);
    for (unsigned i = 0; i < test->operand_count; i++) {
        struct nl_operand *source = &test->operands[i];
        source->size = addresses ? address_sizes[byte(in) % 4] : sizes[byte(in) % 4];
        source->offset = byte(in) % (RECORD - source->size + 1u);
        source->presence = byte(in) % RECORD;
        source->bit = (uint8_t)(1u << byte(in) % 8);
    }
    if (addresses) {
        test->networks = networks;
        test->network_count = values;
        for (size_t i = 0; i < values; i++) {
            networks[i].size = byte(in) % 2 ? 4 : 16;
            networks[i].bits = (uint8_t)(byte(in) % (8u * networks[i].size + 1));
            for (unsigned b = 0; b < networks[i].size; b++)
                networks[i].bytes[b] = byte(in);
        }
        return;
    }
    unsigned width = sizes[byte(in) % 4];
    test->mask = byte(in) % 2 ? number(in, width) : UINT64_MAX;
    test->ranges = ranges;
    test->range_count = values;
    for (size_t i = 0; i < values; i++) {
        ranges[i].low = number(in, width);
        ranges[i].high = number(in, width);
    }
}

static void make(struct input *in, struct conditions *c)
{
    c->count = 1 + byte(in) % CLAUSES;
    for (size_t i = 0; i < c->count; i++) {
        c->clauses[i].tests = c->tests[i];
        c->clauses[i].test_count = byte(in) % (TESTS + 1);
        for (size_t j = 0; j < c->clauses[i].test_count; j++)
            make_test(in, &c->tests[i][j], c->ranges[i][j], c->networks[i][j]);
    }
}

/* Lets references to IPv6 addresses be less than 256. Zeros make no further reference. */
static void place_addresses(const struct conditions *c, uint8_t *record)
{
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < c->clauses[i].test_count; j++)
            for (unsigned k = 0; c->tests[i][j].network_count && k < c->tests[i][j].operand_count; k++) {
                uint8_t *at = record + c->tests[i][j].operands[k].offset;
                uint32_t reference;
                memcpy(&reference, at, 4);
                reference &= 0xff;
                if (c->tests[i][j].operands[k].size == NL_ADDRESS && at[4] == 6)
                    memcpy(at, &reference, 4);
            }
}

static int bit(const uint8_t *bytes, unsigned which)
{
    return bytes[which / 8] >> (7 - which % 8) & 1;
}

static uint64_t host_order(const uint8_t *at, unsigned size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case 1:
        memcpy(&one, at, 1);
        return one;
    case 2:
        memcpy(&two, at, 2);
        return two;
    case 4:
        memcpy(&four, at, 4);
        return four;
    default:
        memcpy(&eight, at, 8);
        return eight;
    }
}

static int slowly(const struct nl_test *test, const uint8_t *record, const uint8_t *heap)
{
    const uint8_t *value = NULL;
    unsigned size = 0;
    for (unsigned i = test->operand_count; i--;)
        if (record[test->operands[i].presence] & test->operands[i].bit) {
            value = record + test->operands[i].offset;
            size = test->operands[i].size;
        }
    int holds = 0;
    const uint8_t *address = value;
    if (value && test->network_count && size == NL_ADDRESS) {
        size = value[4] == 6 ? 16 : 4;
        address = value[4] == 6 ? heap + host_order(value, 4) : value;
    } else if (value && test->network_count && size == NL_WHOLE_ADDRESS) {
        size = value[16] == 4 ? 4 : 16;
        address = value + 16 - size;
    }
    for (size_t i = 0; value && i < test->network_count; i++) {
        const struct nl_network *network = &test->networks[i];
        unsigned same = 0;
        if (network->size != size)
            continue;
        while (same < network->bits && bit(address, same) == bit(network->bytes, same))
            same++;
        holds |= same == network->bits;
    }
    for (size_t i = 0; (value || test->absent_is_zero) && i < test->range_count; i++) {
        uint64_t found = value ? host_order(value, size) & test->mask : 0;
        holds |= found >= test->ranges[i].low && found <= test->ranges[i].high;
    }
    return holds;
}

static int match_slowly(const struct conditions *c, const uint8_t *record, const uint8_t *heap)
{
    int wanted = 0;
    for (size_t i = 0; i < c->count; i++) {
        int all = 1;
        for (size_t j = 0; j < c->clauses[i].test_count; j++)
            all &= slowly(&c->tests[i][j], record, heap);
        if (!i)
            wanted = all;
        else
            wanted &= !all;
    }
    return wanted;
}

static long matched;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct conditions *c = calloc(1, sizeof *c);
    uint8_t *record = malloc(RECORD), *heap = malloc(HEAP);
    CHECK(c && record && heap);
    make(&in, c);
    for (unsigned i = 0; i < RECORD; i++)
        record[i] = byte(&in);
    for (unsigned i = 0; i < HEAP; i++)
        heap[i] = byte(&in);
    place_addresses(c, record);
    int wanted = nl_match(c->clauses, c->count, record, heap);
    CHECK(wanted == match_slowly(c, record, heap));
    matched += wanted;
    free(record);
    free(heap);
    free(c);
    return 0;
}

#ifdef STANDALONE
/* Prints how many of the records were wanted. */
int main(int argc, char **argv)
{
    return run_program(argc, argv, &matched);
}
#endif
