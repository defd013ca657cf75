/* Growing areas of bytes, for records, their heaps, datagrams and columns.
 *
 * Plain C without Python. A small area comes from malloc. From NL_AREA_MAPPED
 * bytes up it is a mapping that starts with a huge page: its first touch is
 * cheap. The mapping lies in a reserved range of addresses and grows in place by
 * mprotect, as the heaps of libc's threads do. If no addresses can be reserved,
 * or mprotect fails, the bytes are copied to a larger mapping. A mapping changes
 * only at its end: nothing depends on how the kernel splits and merges it.
 */
#ifndef NETLINK_AREA_H
#define NETLINK_AREA_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct nl_area {
    uint8_t *data;
    size_t size, capacity;
    size_t reserved; /* bytes of addresses from data on, whole huge pages; 0: data comes from malloc */
};

#define NL_HUGE_PAGE ((size_t)2 << 20)
#define NL_AREA_MAPPED NL_HUGE_PAGE
/* The range of a record's 32-bit offsets; 0 on 32-bit machines. PROT_NONE addresses are not charged to the process. */
#define NL_AREA_RESERVED ((size_t)(UINTPTR_MAX > UINT32_MAX ? UINT64_C(4) << 30 : 0))

static inline void nl_area_free(struct nl_area *a)
{
    if (a->reserved)
        munmap(a->data, a->reserved);
    else
        free(a->data);
    memset(a, 0, sizeof *a);
}

/* Returns the unused reserved addresses. The area can still grow, by a copy. */
static inline void nl_area_trim(struct nl_area *a)
{
    if (a->reserved > a->capacity && munmap(a->data + a->capacity, a->reserved - a->capacity) == 0)
        a->reserved = a->capacity;
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

/* Moves an area to a new mapping. */
static inline int nl_area_move(struct nl_area *a, size_t capacity)
{
    struct nl_area to = {NULL, a->size, capacity, capacity};
    if (capacity < NL_AREA_RESERVED) {
        to.reserved = NL_AREA_RESERVED;
        to.data = nl_map(capacity, to.reserved);
    }
    if (!to.data) {
        to.reserved = capacity;
        to.data = nl_map(capacity, capacity);
    }
    if (!to.data)
        return -ENOMEM;
    if (a->size)
        memcpy(to.data, a->data, a->size);
    nl_area_free(a);
    *a = to;
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
        uint8_t *data = (uint8_t *)realloc(a->data, capacity);
        if (!data)
            return -ENOMEM;
        a->data = data;
    } else if (capacity > a->reserved ||
               mprotect(a->data + a->capacity, capacity - a->capacity, PROT_READ | PROT_WRITE) < 0) {
        return nl_area_move(a, capacity);
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
