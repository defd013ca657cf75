/* The numbers of messages that wait for an answer, and how many answers the kernel refused.
 *
 * Plain C without Python, and without a lock: one thread gives, any thread settles. A number lies in the slot of its
 * low bits. If a number is still there when a later one needs its slot, it is only counted from then on.
 */
#ifndef NETLINK_LEDGER_H
#define NETLINK_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    NL_LEDGER_ERRORS = 134 /* errnos: EHWPOISON is the last */
};

#define NL_LEDGER_HERE (UINT64_C(1) << 32)

struct nl_ledger {
    _Atomic uint64_t *slots;
    uint32_t mask;
    _Atomic int64_t pending;   /* given and not settled */
    _Atomic int64_t displaced; /* of these, in no slot */
    _Atomic uint32_t newest;
    _Atomic uint64_t refused[NL_LEDGER_ERRORS];
};

/* slots: a power of 2. 0 or -1. */
static inline int nl_ledger_init(struct nl_ledger *l, uint32_t slots)
{
    l->slots = (_Atomic uint64_t *)calloc(slots, sizeof *l->slots);
    l->mask = slots - 1;
    return l->slots ? 0 : -1;
}

static inline void nl_ledger_free(struct nl_ledger *l)
{
    free(l->slots);
}

static inline void nl_ledger_give(struct nl_ledger *l, uint32_t number)
{
    uint64_t before =
        atomic_exchange_explicit(&l->slots[number & l->mask], number | NL_LEDGER_HERE, memory_order_acq_rel);
    if (before)
        atomic_fetch_add(&l->displaced, 1);
    atomic_store_explicit(&l->newest, number, memory_order_relaxed);
    atomic_fetch_add(&l->pending, 1);
}

static inline int nl_ledger_has(const struct nl_ledger *l, uint32_t number)
{
    return atomic_load_explicit(&l->slots[number & l->mask], memory_order_acquire) == (number | NL_LEDGER_HERE);
}

/* Whether one of the displaced was counted down for a number that is in no slot. */
static inline int nl_ledger_settle_displaced(struct nl_ledger *l, uint32_t number)
{
    int32_t age = (int32_t)(atomic_load_explicit(&l->newest, memory_order_relaxed) - number);
    if (age <= (int32_t)l->mask)
        return 0;
    int64_t left = atomic_load(&l->displaced);
    while (left > 0)
        if (atomic_compare_exchange_weak(&l->displaced, &left, left - 1))
            return 1;
    return 0;
}

static inline void nl_ledger_settle_all(struct nl_ledger *l, const uint32_t *numbers, size_t count)
{
    int64_t settled = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t here = numbers[i] | NL_LEDGER_HERE;
        settled += atomic_compare_exchange_strong(&l->slots[numbers[i] & l->mask], &here, 0) ||
                   nl_ledger_settle_displaced(l, numbers[i]);
    }
    atomic_fetch_sub(&l->pending, settled);
}

/* Settles all numbers up to one, by the order of numbers that wrap. */
static inline void nl_ledger_settle_through(struct nl_ledger *l, uint32_t last)
{
    for (uint32_t i = 0; i <= l->mask; i++) {
        uint64_t here = atomic_load_explicit(&l->slots[i], memory_order_acquire);
        if (here && (int32_t)((uint32_t)here - last) <= 0 && atomic_compare_exchange_strong(&l->slots[i], &here, 0))
            atomic_fetch_sub(&l->pending, 1);
    }
    /* The displaced are older than all that are in slots. */
    if ((int32_t)(last - (atomic_load(&l->newest) - l->mask)) >= 0)
        atomic_fetch_sub(&l->pending, atomic_exchange(&l->displaced, 0));
}

/* Whether the given numbers, which ascend, are all that wait. */
static inline int nl_ledger_is(const struct nl_ledger *l, const uint32_t *numbers, size_t count)
{
    if (atomic_load(&l->pending) != (int64_t)count || atomic_load(&l->displaced))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (!nl_ledger_has(l, numbers[i]) || (i && (int32_t)(numbers[i] - numbers[i - 1]) <= 0))
            return 0;
    return 1;
}

/* Sequence numbers of the requests that answer. On a refusal the kernel repeats the number: it says how many answers
 * were in the request. The first request of a datagram says how many were in the datagram, all of which the kernel
 * refuses at once if there is no permission. */
enum {
    NL_LEDGER_ANSWER = 1 << 30,
    NL_LEDGER_FIRST = 1 << 29,
    NL_LEDGER_COUNT = NL_LEDGER_FIRST - 1,
};

/* error: a positive errno; whole: whether it is of the entire datagram. */
static inline void nl_ledger_refuse(struct nl_ledger *l, uint32_t sequence, int error, int whole)
{
    uint64_t count = sequence & NL_LEDGER_FIRST && !whole ? 1 : sequence & NL_LEDGER_COUNT;
    if (error > 0 && error < NL_LEDGER_ERRORS)
        atomic_fetch_add(&l->refused[error], count);
}

#endif
