/* Growing areas of bytes, for records, their heaps, datagrams and columns.
 *
 * Plain C without Python. A small area comes from malloc. From NL_AREA_MAPPED
 * bytes up it is a mapping that starts with a huge page: its first touch is
 * cheap. The mapping lies in a reserved range of addresses and grows in place by
 * mprotect, as the heaps of libc's threads do. If no addresses can be reserved,
 * or mprotect fails, the bytes are copied to a larger mapping. A mapping changes
 * only at its end: nothing depends on how the kernel splits and merges it.
 *
 * A mapping or a large block that is freed may go to a pool, and from there to the next area: the first touch of new
 * memory costs more than all that is done with it, and malloc gives large blocks back to the kernel, too. The kernel
 * may take the pages of a pool's mappings whenever it needs them (MADV_FREE), and the pool itself gives back what
 * nobody has used for some seconds, when it is used again.
 */
#ifndef NETLINK_AREA_H
#define NETLINK_AREA_H

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct nl_area {
    uint8_t *data;
    size_t size, capacity;
    size_t reserved; /* bytes of addresses from data on, whole huge pages; 0: data comes from malloc */
};

#define NL_HUGE_PAGE ((size_t)2 << 20)
#define NL_AREA_MAPPED NL_HUGE_PAGE
/* The range of a record's 32-bit offsets; 0 on 32-bit machines. PROT_NONE addresses are not charged to the process. */
#define NL_AREA_RESERVED ((size_t)(UINTPTR_MAX > UINT32_MAX ? UINT64_C(4) << 30 : 0))

/* ---- pool ---- */

enum { NL_POOL_PLACES = 8, NL_POOL_SECONDS = 5 };
#define NL_POOL_BLOCKS ((size_t)8 << 20)     /* bytes of all blocks in a pool: they are the process's until freed */
#define NL_POOL_MAPPINGS ((size_t)128 << 20) /* bytes of all mappings in a pool */
/* From this size on malloc may give a block back to the kernel when it is freed, so the pool keeps it. */
#define NL_POOL_KEPT ((size_t)128 << 10)
/* From this size on a growing block asks the pool: before, it would be copied for nothing more often than not. */
#define NL_POOL_ASKED ((size_t)16 << 10)

/* Areas of one kind without a user, the oldest first. */
struct nl_shelf {
    size_t bytes;
    unsigned count;
    struct nl_area area[NL_POOL_PLACES]; /* size: 0 */
    time_t since[NL_POOL_PLACES];
};

/* Any thread may use a pool: each call holds it for a few instructions, and who finds it held does without. So does a
 * child whose parent forked in just that moment. */
struct nl_pool {
    atomic_flag held;
    atomic_size_t size; /* bytes of all its areas */
    struct nl_shelf blocks, mappings;
};

/* The pool of the areas of this file; NULL: none. */
static struct nl_pool *nl_area_pool;

static inline time_t nl_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

static inline void nl_area_give_back(const struct nl_area *a)
{
    if (a->reserved)
        munmap(a->data, a->reserved);
    else
        free(a->data);
}

/* Takes an area from a shelf of a pool that is held. */
static inline struct nl_area nl_shelf_pick(struct nl_pool *pool, struct nl_shelf *shelf, unsigned i)
{
    struct nl_area a = shelf->area[i];
    shelf->count--;
    memmove(&shelf->area[i], &shelf->area[i + 1], (shelf->count - i) * sizeof *shelf->area);
    memmove(&shelf->since[i], &shelf->since[i + 1], (shelf->count - i) * sizeof *shelf->since);
    shelf->bytes -= a.capacity;
    atomic_fetch_sub(&pool->size, a.capacity);
    return a;
}

/* Takes the areas that came before a time. Returns how many these are. */
static inline unsigned nl_shelf_clear(struct nl_pool *pool, struct nl_shelf *shelf, time_t before, struct nl_area *old)
{
    unsigned count = 0;
    while (shelf->count && shelf->since[0] < before)
        old[count++] = nl_shelf_pick(pool, shelf, 0);
    return count;
}

/* Gives back what came before a time. Returns the number of bytes. */
__attribute__((unused, noinline)) static size_t nl_pool_shrink(struct nl_pool *pool, time_t before)
{
    struct nl_area old[2 * NL_POOL_PLACES];
    size_t bytes = 0;
    if (atomic_flag_test_and_set(&pool->held))
        return 0;
    unsigned count = nl_shelf_clear(pool, &pool->blocks, before, old);
    count += nl_shelf_clear(pool, &pool->mappings, before, old + count);
    atomic_flag_clear(&pool->held);
    while (count--) {
        bytes += old[count].capacity;
        nl_area_give_back(&old[count]);
    }
    return bytes;
}

/* Gives back all of a pool that nobody holds. */
static inline size_t nl_pool_empty(struct nl_pool *pool)
{
    return nl_pool_shrink(pool, nl_seconds() + 1);
}

/* Gives back what has not been used for some seconds. */
static inline void nl_pool_tick(struct nl_pool *pool)
{
    if (atomic_load_explicit(&pool->size, memory_order_relaxed))
        nl_pool_shrink(pool, nl_seconds() - NL_POOL_SECONDS);
}

/* Puts an area into the pool, which gives its oldest ones back to have room: 1, or 0 if the caller keeps it. */
__attribute__((unused, noinline)) static int nl_pool_put(struct nl_pool *pool, const struct nl_area *a)
{
    struct nl_shelf *shelf = a->reserved ? &pool->mappings : &pool->blocks;
    size_t max = a->reserved ? NL_POOL_MAPPINGS : NL_POOL_BLOCKS;
    struct nl_area old[NL_POOL_PLACES];
    unsigned count = 0;
    if (a->capacity > max || a->capacity < NL_POOL_KEPT)
        return 0;
    if (a->reserved)
        madvise(a->data, a->capacity, MADV_FREE); /* fails harmlessly: then the kernel swaps the pages out instead */
    nl_pool_tick(pool);
    if (atomic_flag_test_and_set(&pool->held))
        return 0;
    while (shelf->count == NL_POOL_PLACES || shelf->bytes + a->capacity > max)
        old[count++] = nl_shelf_pick(pool, shelf, 0);
    shelf->area[shelf->count] = *a;
    shelf->area[shelf->count].size = 0;
    shelf->since[shelf->count++] = nl_seconds();
    shelf->bytes += a->capacity;
    atomic_fetch_add(&pool->size, a->capacity);
    atomic_flag_clear(&pool->held);
    while (count--)
        nl_area_give_back(&old[count]);
    return 1;
}

/* The largest area of a shelf, if it has n bytes: an area that grows so far may well grow on. */
__attribute__((unused, noinline)) static int nl_pool_get(struct nl_pool *pool, struct nl_shelf *shelf, size_t n,
                                                         struct nl_area *to)
{
    unsigned best = 0;
    int found = 0;
    nl_pool_tick(pool);
    if (atomic_flag_test_and_set(&pool->held))
        return 0;
    for (unsigned i = 0; i < shelf->count; i++)
        if (shelf->area[i].capacity > shelf->area[best].capacity)
            best = i;
    if (shelf->count && shelf->area[best].capacity >= n) {
        *to = nl_shelf_pick(pool, shelf, best);
        found = 1;
    }
    atomic_flag_clear(&pool->held);
    return found;
}

/* ---- areas ---- */

static inline void nl_area_free(struct nl_area *a)
{
    if (!nl_area_pool || a->capacity < NL_POOL_KEPT || !nl_pool_put(nl_area_pool, a))
        nl_area_give_back(a);
    memset(a, 0, sizeof *a);
}

/* For an area that is full: returns the unused reserved addresses, and most of a block that the pool had much too
 * large. It can still grow, by a copy. */
static inline void nl_area_trim(struct nl_area *a)
{
    if (a->reserved) {
        if (a->reserved > a->capacity && munmap(a->data + a->capacity, a->reserved - a->capacity) == 0)
            a->reserved = a->capacity;
    } else if (a->size && a->capacity >= NL_POOL_KEPT && a->size <= a->capacity / 4) {
        struct nl_area to = {NULL, a->size, a->capacity / 4, 0};
        while (to.capacity / 2 >= a->size) /* a power of two, as all capacities */
            to.capacity /= 2;
        to.data = (uint8_t *)malloc(to.capacity);
        if (to.data) {
            memcpy(to.data, a->data, a->size);
            nl_area_free(a);
            *a = to;
        }
    }
}

/* Reserves addresses that start with a huge page and makes the first bytes usable; NULL if that fails. */
static inline uint8_t *nl_map(size_t usable, size_t reserved)
{
    uint8_t *all =
        (uint8_t *)mmap(NULL, reserved + NL_HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)all & (NL_HUGE_PAGE - 1);
    uint8_t *data = all + before;
    if (before)
        munmap(all, before);
    munmap(data + reserved, NL_HUGE_PAGE - before);
    madvise(data, reserved, MADV_HUGEPAGE); /* fails harmlessly on a kernel without huge pages */
    if (mprotect(data, usable, PROT_READ | PROT_WRITE) < 0) {
        munmap(data, reserved);
        return NULL;
    }
    return data;
}

/* Copies an area to another, which it becomes. */
static inline void nl_area_become(struct nl_area *a, struct nl_area *to)
{
    if (a->size)
        memcpy(to->data, a->data, a->size);
    to->size = a->size;
    nl_area_free(a);
    *a = *to;
}

/* Moves an area to another mapping. */
static inline int nl_area_move(struct nl_area *a, size_t capacity)
{
    struct nl_area to = {NULL, 0, capacity, capacity};
    if (nl_area_pool)
        nl_pool_get(nl_area_pool, &nl_area_pool->mappings, capacity, &to);
    if (!to.data && capacity < NL_AREA_RESERVED) {
        to.reserved = NL_AREA_RESERVED;
        to.data = nl_map(capacity, to.reserved);
    }
    if (!to.data) {
        to.reserved = capacity;
        to.data = nl_map(capacity, capacity);
    }
    if (!to.data)
        return -ENOMEM;
    nl_area_become(a, &to);
    return 0;
}

__attribute__((unused, noinline)) static int nl_area_grow(struct nl_area *a, size_t n)
{
    if (n > SIZE_MAX / 4 || a->size > SIZE_MAX / 4)
        return -ENOMEM;
    size_t capacity = a->capacity ? a->capacity : 256;
    while (capacity < a->size + n)
        capacity *= 2;
    if (capacity < NL_AREA_MAPPED) {
        struct nl_area to;
        if (capacity >= NL_POOL_ASKED && nl_area_pool &&
            atomic_load_explicit(&nl_area_pool->size, memory_order_relaxed) &&
            nl_pool_get(nl_area_pool, &nl_area_pool->blocks, capacity, &to)) {
            nl_area_become(a, &to);
            return 0;
        }
        uint8_t *data = (uint8_t *)realloc(a->data, capacity);
        if (!data)
            return -ENOMEM;
        a->data = data;
    } else if (capacity > a->reserved ||
               mprotect(a->data + a->capacity, capacity - a->capacity, PROT_READ | PROT_WRITE) < 0) {
        return nl_area_move(a, capacity); /* in most cases from malloc: nothing is reserved */
    }
    a->capacity = capacity;
    return 0;
}

/* Reserves n more bytes, not zeroed. 0, or -ENOMEM and the area is unchanged. */
static inline int nl_area_reserve(struct nl_area *a, size_t n)
{
    return n <= a->capacity - a->size ? 0 : nl_area_grow(a, n);
}

#endif
