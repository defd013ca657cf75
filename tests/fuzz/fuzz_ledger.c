/* Fuzz target: a ledger of numbers beside a list of them.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes so many inputs and takes those in
 * files, and that has several threads settle what one gives. */
#include <pthread.h>
#include <string.h>

#include "../../src/netlink/_engine/ledger.h"
#include "target.h"

enum { SLOTS = 16, MOST = 512 };

/* The numbers that wait, in ascending order. */
struct waiting {
    uint32_t numbers[MOST];
    size_t count;
};

static long compared;

static size_t place_of(const struct waiting *w, uint32_t number)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->numbers[i] == number)
            return i;
    return w->count;
}

static void take_out(struct waiting *w, size_t i)
{
    memmove(w->numbers + i, w->numbers + i + 1, (--w->count - i) * sizeof *w->numbers);
}

static int64_t occupied(const struct nl_ledger *l)
{
    int64_t found = 0;
    for (uint32_t i = 0; i <= l->mask; i++) {
        uint64_t here = atomic_load(&l->slots[i]);
        CHECK(!here || ((here & NL_LEDGER_HERE) && ((uint32_t)here & l->mask) == i));
        found += here != 0;
    }
    return found;
}

static void check(const struct nl_ledger *l, const struct waiting *w, int exact)
{
    int64_t pending = atomic_load(&l->pending), displaced = atomic_load(&l->displaced);
    CHECK(displaced >= 0 && pending == occupied(l) + displaced);
    if (!exact)
        return;
    compared++;
    CHECK(pending == (int64_t)w->count);
    CHECK(nl_ledger_is(l, w->numbers, w->count) == !displaced);
    if (w->count > 1 && !displaced) {
        uint32_t others[MOST];
        CHECK(!nl_ledger_is(l, w->numbers, w->count - 1));
        CHECK(!nl_ledger_is(l, w->numbers + 1, w->count - 1));
        memcpy(others, w->numbers, w->count * sizeof *others);
        others[1] = others[0]; /* as many, and one of them twice */
        CHECK(!nl_ledger_is(l, others, w->count));
        memcpy(others, w->numbers, w->count * sizeof *others);
        others[w->count - 1]++;
        CHECK(!nl_ledger_is(l, others, w->count));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct nl_ledger l;
    struct waiting w = {.count = 0};
    uint64_t refused[NL_LEDGER_ERRORS] = {0};
    memset(&l, 0, sizeof l);
    CHECK(nl_ledger_init(&l, SLOTS) == 0);
    /* Some begin where numbers wrap. */
    uint32_t next = byte(&in) % 2 ? 1 : UINT32_MAX - byte(&in);
    int exact = 1;
    while (in.left) {
        uint8_t what = byte(&in), argument = byte(&in);
        if (what % 8 < 3) {
            if (w.count < MOST) {
                next += argument % 8 ? 0 : argument / 8; /* some were lost */
                w.numbers[w.count++] = next;
                nl_ledger_give(&l, next++);
            }
        } else if (what % 8 < 6 && w.count) {
            size_t i = argument % w.count;
            nl_ledger_settle_all(&l, &w.numbers[i], 1);
            take_out(&w, i);
        } else if (what % 8 == 6) {
            /* One that does not wait: never given, or settled. Of old ones the ledger cannot tell that. */
            uint32_t number = next + 8 - argument % 32;
            if (place_of(&w, number) == w.count) {
                exact = exact && !(atomic_load(&l.displaced) && (int32_t)(next - 1 - number) > (int32_t)l.mask);
                nl_ledger_settle_all(&l, &number, 1);
            }
        } else if (what & 8) {
            uint32_t last = next + 4 - argument % 64;
            int64_t displaced = atomic_load(&l.displaced);
            nl_ledger_settle_through(&l, last);
            while (w.count && (int32_t)(w.numbers[0] - last) <= 0)
                take_out(&w, 0);
            /* The displaced are settled together, or not at all. */
            exact = exact && (!displaced || !atomic_load(&l.displaced));
        } else {
            int error = argument - 8, whole = what >> 4 & 1;
            uint32_t count = byte(&in), first = what >> 5 & 1 ? NL_LEDGER_FIRST : 0;
            nl_ledger_refuse(&l, NL_LEDGER_ANSWER | first | count, error, whole);
            if (error > 0 && error < NL_LEDGER_ERRORS)
                refused[error] += first && !whole ? 1 : count;
        }
        check(&l, &w, exact);
    }
    for (int i = 0; i < NL_LEDGER_ERRORS; i++)
        CHECK(atomic_load(&l.refused[i]) == refused[i]);
    nl_ledger_settle_through(&l, next - 1);
    CHECK(!atomic_load(&l.pending) && !atomic_load(&l.displaced) && !occupied(&l));
    nl_ledger_free(&l);
    return 0;
}

#ifdef STANDALONE
enum { THREADS = 3, GIVEN = 30000 };

static struct nl_ledger shared;
static _Atomic uint32_t given;

static void *settle(void *which)
{
    for (uint32_t number = (uint32_t)(uintptr_t)which; number <= GIVEN; number += THREADS) {
        while (atomic_load(&given) < number)
            ;
        nl_ledger_settle_all(&shared, &number, 1);
    }
    return NULL;
}

/* One thread gives, and others settle each number once: nothing waits in the end. */
static void use_threads(void)
{
    pthread_t threads[THREADS];
    CHECK(nl_ledger_init(&shared, 1 << 16) == 0); /* none is displaced */
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, settle, (void *)(i + 1)) == 0);
    for (uint32_t number = 1; number <= GIVEN; number++) {
        nl_ledger_give(&shared, number);
        atomic_store(&given, number);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(!atomic_load(&shared.pending) && !atomic_load(&shared.displaced) && !occupied(&shared));
    nl_ledger_free(&shared);
}

/* Prints how often the ledger was compared with the list. */
int main(int argc, char **argv)
{
    use_threads();
    return run_program(argc, argv, &compared);
}
#endif
