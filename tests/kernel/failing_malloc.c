/* Preloaded: an allocation of netlink's modules fails when armed for it, and those that live are counted.
 *
 * The return address identifies the owner of an allocation. Allocations by Python itself are ignored.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 1 << 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *blocks[SLOTS]; /* that live, by hash, with linear probing; GONE where one was */
static long live, until_failure = -1, count;
static int any; /* whether blocks of ours exist: a free has to look */

#define GONE ((void *)1)

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static __thread int inside;

static int ours(const void *caller)
{
    Dl_info info;
    if (inside)
        return 0;
    inside = 1;
    int found = dladdr(caller, &info) && info.dli_fname &&
                (strstr(info.dli_fname, "/netlink/_") || strstr(info.dli_fname, "/netlink/netfilter/_"));
    inside = 0;
    return found;
}

static size_t slot_of(const void *p)
{
    return ((uintptr_t)p >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 48;
}

/* Whether the allocation at hand is to fail. */
static int fails(void)
{
    pthread_mutex_lock(&mutex);
    count++;
    int now = until_failure == 0;
    if (until_failure >= 0)
        until_failure--;
    pthread_mutex_unlock(&mutex);
    return now;
}

static void *added(void *p)
{
    if (!p)
        return p;
    pthread_mutex_lock(&mutex);
    size_t i = slot_of(p);
    while (blocks[i] && blocks[i] != GONE)
        i = (i + 1) % SLOTS;
    blocks[i] = p;
    live++;
    any = 1;
    pthread_mutex_unlock(&mutex);
    return p;
}

static void removed(void *p)
{
    if (!p || !__atomic_load_n(&any, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&mutex);
    size_t i = slot_of(p);
    for (size_t looked = 0; blocks[i] && blocks[i] != p && looked < SLOTS; looked++)
        i = (i + 1) % SLOTS;
    if (blocks[i] == p) {
        blocks[i] = GONE;
        live--;
    }
    pthread_mutex_unlock(&mutex);
}

void *malloc(size_t size)
{
    if (!ours(__builtin_return_address(0)))
        return __libc_malloc(size);
    return fails() ? NULL : added(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    if (!ours(__builtin_return_address(0)))
        return __libc_calloc(n, size);
    return fails() ? NULL : added(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    if (!ours(__builtin_return_address(0))) {
        removed(p);
        return __libc_realloc(p, size);
    }
    if (fails())
        return NULL;
    removed(p);
    return added(__libc_realloc(p, size));
}

void free(void *p)
{
    removed(p);
    __libc_free(p);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (!next)
        next = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    return ours(__builtin_return_address(0)) && fails() ? MAP_FAILED : next(at, size, protection, flags, fd, offset);
}

/* The n-th allocation from now on fails, 0 the next one; -1: none. */
void failing_malloc_arm(long n)
{
    pthread_mutex_lock(&mutex);
    until_failure = n;
    count = 0;
    pthread_mutex_unlock(&mutex);
}

/* How many allocations there were since. */
long failing_malloc_count(void)
{
    return count;
}

/* How many blocks of the modules live. */
long failing_malloc_live(void)
{
    return live;
}
