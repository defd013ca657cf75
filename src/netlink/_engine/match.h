/* Tests of decoded records by the bytes of their fields.
 *
 * Plain C without Python, as plan.h, whose records it reads. */
#ifndef NETLINK_MATCH_H
#define NETLINK_MATCH_H

#include "plan.h"

/* A field of a record. Offsets count from the record's start. */
struct nl_operand {
    uint32_t offset;
    uint32_t presence; /* offset of the byte with its presence bit */
    uint8_t bit;       /* mask of that bit */
    uint8_t size;
};

struct nl_range {
    uint64_t low, high; /* inclusive */
};

struct nl_network {
    uint8_t bytes[16];
    uint8_t size; /* of an address: 4 or 16 */
    uint8_t bits;
};

enum { NL_OPERANDS_MAX = 3 };

/* A test: the first present operand has one of the values. */
struct nl_test {
    struct nl_operand operands[NL_OPERANDS_MAX];
    uint8_t operand_count;
    uint8_t absent_is_zero; /* if no operand is present the value is 0; else the test fails */
    uint64_t mask;          /* applied to the value before it is compared */
    const struct nl_range *ranges;
    size_t range_count;
    const struct nl_network *networks; /* if the operands are addresses */
    size_t network_count;
};

/* A clause: all its tests hold. */
struct nl_clause {
    const struct nl_test *tests;
    size_t test_count;
};

/* Whether an address of `size` bytes is in a network. */
static inline int nl_in_network(const uint8_t *address, size_t size, const struct nl_network *network)
{
    size_t whole = network->bits / 8u;
    unsigned rest = network->bits % 8u;
    if (size != network->size || memcmp(address, network->bytes, whole) != 0)
        return 0;
    return !rest || !((address[whole] ^ network->bytes[whole]) >> (8 - rest));
}

static inline int nl_test_holds(const struct nl_test *test, const uint8_t *record, const uint8_t *heap)
{
    const struct nl_operand *operand = NULL;
    for (unsigned i = 0; i < test->operand_count && !operand; i++)
        if (record[test->operands[i].presence] & test->operands[i].bit)
            operand = &test->operands[i];
    if (!operand && !test->absent_is_zero)
        return 0;
    if (test->network_count) {
        unsigned size;
        if (!operand)
            return 0;
        const uint8_t *address = record + operand->offset;
        address = operand->size == NL_WHOLE_ADDRESS ? nl_whole_address_bytes(address, &size)
                                                    : nl_address_bytes(address, operand->size, heap, &size);
        for (size_t i = 0; i < test->network_count; i++)
            if (nl_in_network(address, size, &test->networks[i]))
                return 1;
        return 0;
    }
    uint64_t value = operand ? nl_load_int(record + operand->offset, operand->size, 0) & test->mask : 0;
    for (size_t i = 0; i < test->range_count; i++)
        if (test->ranges[i].low <= value && value <= test->ranges[i].high)
            return 1;
    return 0;
}

static inline int nl_clause_holds(const struct nl_clause *clause, const uint8_t *record, const uint8_t *heap)
{
    for (size_t i = 0; i < clause->test_count; i++)
        if (!nl_test_holds(&clause->tests[i], record, heap))
            return 0;
    return 1;
}

/* Whether the first clause holds for a record and no other clause does. heap: of the record's IPv6 addresses. */
static inline int nl_match(const struct nl_clause *clauses, size_t count, const uint8_t *record, const uint8_t *heap)
{
    if (!nl_clause_holds(&clauses[0], record, heap))
        return 0;
    for (size_t i = 1; i < count; i++)
        if (nl_clause_holds(&clauses[i], record, heap))
            return 0;
    return 1;
}

#endif
