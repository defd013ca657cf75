/* The descriptors of sockets that processes have open, read from /proc without Python: a walk of 20,000 of them costs
 * the kernel's work and little else, and needs no GIL. A long walk is shared by threads, which read links side by side.
 */
#ifndef NETLINK_OWNERS_H
#define NETLINK_OWNERS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
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

enum {
    NL_OWNERS_BUFFER = 8192, /* bytes of entries that are read at once: some 340 descriptors */
    NL_OWNERS_NAME = 32,
    NL_OWNERS_ALONE = 1024, /* links that one thread reads before others help it */
    NL_OWNERS_THREADS = 4,  /* more would wait for each other */
};

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

/* Adds the numbers among the names of a directory, as processes without a descriptor: 0 or an error. */
static inline int nl_owners_numbers(struct nl_owners *o, int directory)
{
    uint64_t buffer[NL_OWNERS_BUFFER / 8];
    for (;;) {
        long size = syscall(SYS_getdents64, directory, buffer, sizeof buffer);
        if (size <= 0)
            return size < 0 ? -errno : 0;
        for (long at = 0; at < size;) {
            const struct nl_dirent *entry = (const struct nl_dirent *)((const char *)buffer + at);
            int64_t number = nl_owners_number(entry->name);
            int result = number < 0 ? 0 : nl_owners_add(o, 0, (int32_t)number, -1);
            if (result < 0)
                return result;
            at += entry->length;
        }
    }
}

/* A walk: what its threads share, under the lock. */
struct nl_walk {
    pthread_mutex_t lock;
    int proc;
    const struct nl_owners *processes;
    size_t next;      /* the process whose descriptors are read */
    int64_t position; /* how far its directory was read */
    size_t refused;   /* processes whose descriptors this user may not read */
    int error;        /* what ends the walk */
};

/* A thread of a walk, and what it has found. */
struct nl_walker {
    struct nl_walk *walk;
    struct nl_owners found;
    pthread_t thread;
    size_t process; /* whose directory it has open */
    int directory;
    size_t links; /* that it has read */
    long size;    /* bytes of entries */
    uint64_t entries[NL_OWNERS_BUFFER / 8];
};

/* Opens the directory of the walk's process: whether it is open. */
static inline int nl_walker_open(struct nl_walker *w)
{
    struct nl_walk *walk = w->walk;
    char path[NL_OWNERS_NAME];
    if (w->directory >= 0)
        close(w->directory);
    w->process = walk->next;
    snprintf(path, sizeof path, "%d/fd", walk->processes->items[w->process].pid);
    w->directory = openat(walk->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->directory >= 0)
        return 1;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        walk->error = -errno;
    else if (!walk->position) /* One that has ended has no descriptors. */
        walk->refused += errno == EACCES || errno == EPERM;
    return 0;
}

/* Takes the next entries of the walk: whether there are any. */
static inline int nl_walker_take(struct nl_walker *w)
{
    struct nl_walk *walk = w->walk;
    w->size = 0;
    pthread_mutex_lock(&walk->lock);
    while (w->size <= 0 && !walk->error && walk->next < walk->processes->count) {
        if (w->process == walk->next ? w->directory >= 0 : nl_walker_open(w)) {
            /* Another thread may have read on. */
            lseek(w->directory, walk->position, SEEK_SET);
            w->size = syscall(SYS_getdents64, w->directory, w->entries, sizeof w->entries);
            /* The process may end, or change its user, in the middle. */
            walk->refused += w->size < 0 && (errno == EACCES || errno == EPERM);
        }
        if (w->size > 0)
            for (long at = 0; at < w->size;) {
                const struct nl_dirent *entry = (const struct nl_dirent *)((const char *)w->entries + at);
                walk->position = entry->offset;
                at += entry->length;
            }
        else {
            walk->next++;
            walk->position = 0;
        }
    }
    pthread_mutex_unlock(&walk->lock);
    return w->size > 0;
}

/* Reads the links of the entries that were taken, and adds those of sockets: 0 or an error. */
static inline int nl_walker_read(struct nl_walker *w)
{
    int32_t pid = w->walk->processes->items[w->process].pid;
    int result = 0;
    for (long at = 0; at < w->size && !result;) {
        const struct nl_dirent *entry = (const struct nl_dirent *)((const char *)w->entries + at);
        int64_t fd = nl_owners_number(entry->name);
        char link[64];
        ssize_t size = fd < 0 ? 0 : readlinkat(w->directory, entry->name, link, sizeof link);
        uint64_t inode = size <= 0 || size == (ssize_t)sizeof link ? 0 : nl_owners_inode(link, (size_t)size);
        if (inode)
            result = nl_owners_add(&w->found, inode, pid, (int32_t)fd);
        w->links += fd >= 0;
        at += entry->length;
    }
    return result;
}

/* Walks until nothing is left, or, with a limit, until so many links were read. */
static inline void nl_walker_go(struct nl_walker *w, size_t limit)
{
    int result = 0;
    while (!result && w->links < limit && nl_walker_take(w))
        result = nl_walker_read(w);
    if (result) {
        pthread_mutex_lock(&w->walk->lock);
        w->walk->error = result;
        pthread_mutex_unlock(&w->walk->lock);
    }
}

static inline void *nl_walker_thread(void *walker)
{
    nl_walker_go(walker, SIZE_MAX);
    return NULL;
}

/* Threads that help with a walk: how many there are. None, if the system has no more of them. They take no signals,
 * which are for those of the program. */
static inline size_t nl_walkers_start(struct nl_walker *helpers, size_t count)
{
    sigset_t all, before;
    size_t started = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < count && pthread_create(&helpers[started].thread, NULL, nl_walker_thread, &helpers[started]) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* The processors that this thread may run on, of which a walk has use. */
static inline size_t nl_owners_threads(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > NL_OWNERS_THREADS ? NL_OWNERS_THREADS : (size_t)count;
}

/* Adds the sockets of processes: 0 or an error. A process that has ended meanwhile, or whose descriptors this user may
 * not read, has none; `refused` counts the latter. */
static inline int nl_owners_walk(struct nl_owners *o, int proc, const struct nl_owners *processes, size_t *refused)
{
    struct nl_walk walk = {.lock = PTHREAD_MUTEX_INITIALIZER, .proc = proc, .processes = processes};
    size_t count = nl_owners_threads(), started = 0;
    struct nl_walker *walkers = calloc(count, sizeof *walkers);
    if (!walkers)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        walkers[i].walk = &walk;
        walkers[i].process = SIZE_MAX;
        walkers[i].directory = -1;
    }
    nl_walker_go(&walkers[0], NL_OWNERS_ALONE);
    if (walkers[0].size > 0) {
        started = nl_walkers_start(walkers + 1, count - 1);
        nl_walker_go(&walkers[0], SIZE_MAX);
    }
    for (size_t i = 1; i <= started; i++)
        pthread_join(walkers[i].thread, NULL);
    for (size_t i = 0; i < count; i++) {
        struct nl_walker *w = &walkers[i];
        for (size_t j = 0; j < w->found.count && !walk.error; j++)
            walk.error = nl_owners_add(o, w->found.items[j].inode, w->found.items[j].pid, w->found.items[j].fd);
        nl_owners_free(&w->found);
        if (w->directory >= 0)
            close(w->directory);
    }
    free(walkers);
    pthread_mutex_destroy(&walk.lock);
    *refused = walk.refused;
    return walk.error;
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
