/* The descriptors of sockets that processes have open, read from /proc without Python: a walk of 20,000 of them costs
 * the kernel's work and little else, and needs no GIL. */
#ifndef NETLINK_OWNERS_H
#define NETLINK_OWNERS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A descriptor of a process. */
struct nl_owner {
    uint64_t inode;
    int32_t pid;
    int32_t fd;
};

struct nl_owners {
    struct nl_owner *items;
    size_t count, capacity;
};

enum { NL_OWNERS_BUFFER = 32768, NL_OWNERS_NAME = 32 };

/* struct linux_dirent64 of getdents64(2). */
struct nl_dirent {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static inline void nl_owners_free(struct nl_owners *o)
{
    free(o->items);
    memset(o, 0, sizeof *o);
}

static inline int nl_owners_add(struct nl_owners *o, uint64_t inode, int32_t pid, int32_t fd)
{
    if (o->count == o->capacity) {
        size_t capacity = o->capacity ? 2 * o->capacity : 1024;
        struct nl_owner *items = realloc(o->items, capacity * sizeof *items);
        if (!items)
            return -ENOMEM;
        o->items = items;
        o->capacity = capacity;
    }
    o->items[o->count].inode = inode;
    o->items[o->count].pid = pid;
    o->items[o->count].fd = fd;
    o->count++;
    return 0;
}

/* The number that a text of digits alone has, -1 for any other text. */
static inline int64_t nl_owners_number(const char *text)
{
    int64_t value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > INT32_MAX)
            return -1;
        value = 10 * value + (*text - '0');
    }
    return value > INT32_MAX ? -1 : value;
}

/* The inode of a link "socket:[123]", 0 for any other. */
static inline uint64_t nl_owners_inode(const char *link, size_t size)
{
    static const char start[] = "socket:[";
    size_t at = sizeof start - 1;
    uint64_t inode = 0;
    if (size <= at + 1 || memcmp(link, start, at) != 0 || link[size - 1] != ']')
        return 0;
    for (; at < size - 1; at++) {
        if (link[at] < '0' || link[at] > '9')
            return 0;
        inode = 10 * inode + (uint64_t)(link[at] - '0');
    }
    return inode;
}

/* Calls fn for each entry of a directory whose name is a number; ends with its first error. */
static inline int nl_owners_each(int directory, int (*fn)(struct nl_owners *, int, int32_t, const char *, int32_t),
                                 struct nl_owners *o, int32_t pid)
{
    uint64_t buffer[NL_OWNERS_BUFFER / 8];
    for (;;) {
        long size = syscall(SYS_getdents64, directory, buffer, sizeof buffer);
        if (size < 0)
            return -errno;
        if (size == 0)
            return 0;
        for (long at = 0; at < size;) {
            const struct nl_dirent *entry = (const struct nl_dirent *)((const char *)buffer + at);
            int64_t number = nl_owners_number(entry->name);
            int result = number < 0 ? 0 : fn(o, directory, pid, entry->name, (int32_t)number);
            if (result < 0)
                return result;
            at += entry->length;
        }
    }
}

static inline int nl_owners_descriptor(struct nl_owners *o, int directory, int32_t pid, const char *name, int32_t fd)
{
    char link[64];
    ssize_t size = readlinkat(directory, name, link, sizeof link);
    uint64_t inode = size <= 0 || size == (ssize_t)sizeof link ? 0 : nl_owners_inode(link, (size_t)size);
    return inode ? nl_owners_add(o, inode, pid, fd) : 0;
}

/* Adds the sockets of a process: 0, or an error of this process. One that has ended meanwhile, or whose descriptors
 * this user may not read, has none; `refused` counts the latter. */
static inline int nl_owners_process(struct nl_owners *o, int proc, int32_t pid, size_t *refused)
{
    char path[NL_OWNERS_NAME];
    snprintf(path, sizeof path, "%d/fd", pid);
    int directory = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            return -errno;
        *refused += errno == EACCES || errno == EPERM;
        return 0;
    }
    int result = nl_owners_each(directory, nl_owners_descriptor, o, pid);
    close(directory);
    /* The process may end, or change its user, in the middle. */
    *refused += result == -EACCES || result == -EPERM;
    return result == -ENOMEM ? result : 0;
}

static inline int nl_owners_number_only(struct nl_owners *o, int directory, int32_t pid, const char *name,
                                        int32_t number)
{
    (void)directory, (void)pid, (void)name;
    return nl_owners_add(o, 0, number, -1);
}

/* By inode, process and descriptor. */
static inline int nl_owners_compare(const void *a, const void *b)
{
    const struct nl_owner *x = a, *y = b;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return (x->fd > y->fd) - (x->fd < y->fd);
}

/* Reads the sockets of all processes into o, sorted: 0 or an error. */
static inline int nl_owners_all(struct nl_owners *o, int proc, size_t *refused)
{
    struct nl_owners processes = {0};
    int result = nl_owners_each(proc, nl_owners_number_only, &processes, 0);
    for (size_t i = 0; !result && i < processes.count; i++)
        result = nl_owners_process(o, proc, processes.items[i].pid, refused);
    nl_owners_free(&processes);
    return result;
}

static inline void nl_owners_sort(struct nl_owners *o)
{
    if (o->count > 1)
        qsort(o->items, o->count, sizeof *o->items, nl_owners_compare);
}

/* The descriptors of a socket, and their number. */
static inline const struct nl_owner *nl_owners_find(const struct nl_owners *o, uint64_t inode, size_t *count)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (o->items[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < o->count && o->items[high].inode == inode; high++)
        ;
    *count = high - low;
    return o->items + low;
}

#endif
