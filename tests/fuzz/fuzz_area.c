/* An area that grows, is trimmed and freed while the kernel refuses what it is asked for.
 *
 * What was written must still be there after each step, and nothing mapped after the last. Half of the areas have a
 * pool, which another thread holds now and then. */
#include <string.h>
#include <sys/mman.h>

#include "target.h"

/* What the kernel refuses: a bit for each of the next system calls, the lowest first. */
static uint64_t refusals;
static size_t mapped; /* bytes */
static long moves;

static int refused(void)
{
    int now = refusals & 1;
    refusals = refusals >> 1 | (refusals & UINT64_C(1) << 63);
    return now;
}

static void *asked_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (refused())
        return MAP_FAILED;
    void *got = mmap(at, size, protection, flags, fd, offset);
    if (got != MAP_FAILED)
        mapped += size;
    return got;
}

static int asked_munmap(void *at, size_t size)
{
    CHECK(munmap(at, size) == 0); /* what splits no mapping cannot fail */
    mapped -= size;
    return 0;
}

static int asked_mprotect(void *at, size_t size, int protection)
{
    return refused() ? -1 : mprotect(at, size, protection);
}

static int asked_madvise(void *at, size_t size, int advice)
{
    return refused() ? -1 : madvise(at, size, advice);
}

#define mmap asked_mmap
#define munmap asked_munmap
#define mprotect asked_mprotect
#define madvise asked_madvise
#include "../../src/netlink/_engine/area.h"

/* Of the bytes at multiples of this the tests know the values. */
enum { STRIDE = 509 };

static size_t first_in(size_t size)
{
    return (size + STRIDE - 1) / STRIDE * STRIDE;
}

static uint8_t expected(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

/* n more bytes, of which some in each page, and the last one, are written. */
static int grow(struct nl_area *a, size_t n)
{
    struct nl_area before = *a;
    int result = nl_area_reserve(a, n);
    CHECK(result == 0 || result == -ENOMEM);
    CHECK(a->size == before.size);
    if (result < 0) {
        CHECK(memcmp(a, &before, sizeof before) == 0);
        return result;
    }
    moves += before.reserved && a->data != before.data;
    CHECK(a->capacity - a->size >= n);
    CHECK(!a->reserved || (a->reserved >= a->capacity && (uintptr_t)a->data % NL_HUGE_PAGE == 0));
    for (size_t i = first_in(a->size); i < a->size + n; i += STRIDE)
        a->data[i] = expected(i);
    if (n)
        a->data[a->size + n - 1] = expected(a->size + n - 1);
    a->size += n;
    return 0;
}

/* Whether the bytes that grow wrote at a size are still there. */
static void look(const struct nl_area *a, size_t size, size_t n)
{
    for (size_t i = first_in(size); i < size + n; i += STRIDE)
        CHECK(a->data[i] == expected(i));
    if (n)
        CHECK(a->data[size + n - 1] == expected(size + n - 1));
}

static int sound_shelf(const struct nl_shelf *shelf, size_t max)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < shelf->count; i++) {
        CHECK(shelf->area[i].data && shelf->area[i].capacity >= NL_POOL_KEPT && !shelf->area[i].size);
        bytes += shelf->area[i].capacity;
    }
    return shelf->count <= NL_POOL_PLACES && bytes == shelf->bytes && bytes <= max;
}

static int sound(const struct nl_pool *pool)
{
    return sound_shelf(&pool->blocks, NL_POOL_BLOCKS) && sound_shelf(&pool->mappings, NL_POOL_MAPPINGS) &&
           pool->size == pool->blocks.bytes + pool->mappings.bytes;
}

enum { STEPS = 24, MOST = 24 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static struct nl_pool pool;
    struct nl_area a = {0};
    size_t from[STEPS], sizes[STEPS];
    int steps = 0;
    nl_area_pool = byte(&in) % 2 ? &pool : NULL;
    while (in.left && steps < STEPS) {
        uint8_t what = byte(&in);
        refusals = 0;
        if (what & 1)
            for (int i = 0; i < 8; i++)
                refusals |= (uint64_t)byte(&in) << 8 * i;
        int held = what >> 6 == 3 && atomic_flag_test_and_set(&pool.held) == 0;
        if ((what & 0x1e) == 0x1e) {
            nl_area_trim(&a);
            CHECK(a.reserved <= a.capacity);
        } else if ((what & 0x1e) == 0x1c) {
            nl_area_free(&a);
            steps = 0;
        } else {
            size_t n = (size_t)byte(&in) << (what >> 1 & 15); /* up to 4 MiB */
            n = (n << (what >> 5 & 1)) + byte(&in);
            if (a.size + n <= MOST) {
                from[steps] = a.size;
                sizes[steps] = n;
                steps += grow(&a, n) == 0;
            }
        }
        if (held)
            atomic_flag_clear(&pool.held);
        CHECK(sound(&pool));
        for (int i = 0; i < steps; i++)
            look(&a, from[i], sizes[i]);
    }
    nl_area_free(&a);
    size_t kept = pool.size;
    CHECK(nl_pool_empty(&pool) == kept);
    CHECK(!a.data && !mapped && !pool.size && sound(&pool));
    return 0;
}

#ifdef STANDALONE
/* An area gets what the last one gave back, and after some seconds nobody does. */
static void use_pool(void)
{
    static struct nl_pool pool;
    struct nl_area a = {0}, small = {0};
    nl_area_pool = &pool;
    refusals = 0;
    CHECK(grow(&a, 4 * NL_AREA_MAPPED) == 0);
    const uint8_t *data = a.data;
    size_t capacity = a.capacity;
    nl_area_trim(&a);
    nl_area_free(&a);
    CHECK(pool.mappings.count == 1 && pool.size == capacity && mapped == capacity);
    CHECK(grow(&small, NL_AREA_MAPPED / 2) == 0 && small.data != data); /* malloc's */
    nl_area_free(&small);
    CHECK(pool.blocks.count == 1);
    CHECK(grow(&a, NL_AREA_MAPPED) == 0 && a.data == data && a.capacity == capacity && !pool.mappings.count);
    nl_area_free(&a);
    nl_pool_tick(&pool);
    CHECK(pool.mappings.count == 1 && pool.blocks.count == 1 && sound(&pool));
    pool.mappings.since[0] -= NL_POOL_SECONDS + 1;
    nl_pool_tick(&pool);
    CHECK(!pool.mappings.count && pool.blocks.count == 1 && !mapped);
    pool.blocks.since[0] -= NL_POOL_SECONDS + 1;
    nl_pool_tick(&pool);
    CHECK(!pool.size && sound(&pool));
    for (int i = 0; i < NL_POOL_PLACES + 2; i++) {
        struct nl_area many[NL_POOL_PLACES + 2] = {{0}};
        for (int n = 0; n <= i; n++)
            CHECK(grow(&many[n], NL_AREA_MAPPED) == 0);
        for (int n = 0; n <= i; n++)
            nl_area_free(&many[n]);
        CHECK(pool.mappings.count == (unsigned)(i < NL_POOL_PLACES ? i + 1 : NL_POOL_PLACES) && sound(&pool));
    }
    CHECK(grow(&a, NL_POOL_MAPPINGS + 1) == 0);
    nl_area_free(&a); /* too large */
    CHECK(sound(&pool));
    nl_pool_empty(&pool);
    CHECK(!mapped && !pool.size);
    nl_area_pool = NULL;
}

/* A block that grows takes a warm one at once, and gives it back for a smaller one if it needs little of it. */
static void use_blocks(void)
{
    static struct nl_pool pool;
    struct nl_area a = {0}, b = {0};
    nl_area_pool = &pool;
    refusals = 0;
    CHECK(grow(&a, NL_AREA_MAPPED / 2) == 0);
    const uint8_t *data = a.data;
    nl_area_trim(&a);
    CHECK(a.data == data); /* full */
    nl_area_free(&a);
    CHECK(pool.blocks.count == 1);
    CHECK(grow(&a, NL_POOL_ASKED / 2) == 0 && a.data != data);
    CHECK(grow(&a, NL_POOL_ASKED / 2) == 0 && a.data == data && a.capacity == NL_AREA_MAPPED / 2 && !pool.size);
    look(&a, 0, NL_POOL_ASKED / 2);
    look(&a, NL_POOL_ASKED / 2, NL_POOL_ASKED / 2);
    CHECK(grow(&b, NL_POOL_ASKED) == 0 && b.data != data);
    nl_area_free(&b);
    CHECK(!pool.size); /* malloc keeps what is so small */
    nl_area_trim(&a);
    CHECK(a.data != data && a.size == NL_POOL_ASKED && a.capacity == a.size && pool.blocks.count == 1 && sound(&pool));
    look(&a, 0, NL_POOL_ASKED / 2);
    look(&a, NL_POOL_ASKED / 2, NL_POOL_ASKED / 2);
    nl_area_free(&a);
    struct nl_area many[NL_POOL_BLOCKS / (NL_AREA_MAPPED / 2) + 1] = {{0}};
    for (size_t n = 0; n < sizeof many / sizeof *many; n++)
        CHECK(grow(&many[n], NL_AREA_MAPPED / 2) == 0);
    for (size_t n = 0; n < sizeof many / sizeof *many; n++)
        nl_area_free(&many[n]);
    CHECK(pool.blocks.bytes == NL_POOL_BLOCKS && sound(&pool));
    nl_pool_empty(&pool);
    CHECK(!pool.size);
    nl_area_pool = NULL;
}

/* How often an area that is mapped moves while it doubles five times. */
static long moves_of(uint64_t first, uint64_t later, int trim)
{
    struct nl_area a = {0};
    moves = 0;
    refusals = 0;
    CHECK(grow(&a, NL_AREA_MAPPED) == 0);
    for (int i = 0; i < 5; i++) {
        if (trim)
            nl_area_trim(&a);
        size_t size = a.size;
        refusals = i ? later : first;
        CHECK(grow(&a, size) == 0);
        refusals = 0;
        look(&a, 0, 2 * size);
    }
    nl_area_free(&a);
    CHECK(!mapped);
    return moves;
}

int main(int argc, char **argv)
{
    use_pool();
    use_blocks();
    if (NL_AREA_RESERVED) {
        CHECK(moves_of(0, 0, 0) == 0); /* it grows where it is */
        CHECK(moves_of(1, 1, 0) == 5); /* mprotect is refused */
        CHECK(moves_of(3, 1, 0) == 5); /* it is once, and from then on as many addresses as would be reserved */
    }
    CHECK(moves_of(0, 0, 1) == 5); /* nothing is reserved any more */
    run_random(argc > 1 ? atol(argv[1]) : 0);
    run_files(argc - 2, argv + 2);
    return 0;
}
#endif
