#include "_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "_wire.h"

#ifndef SO_RCVBUFFORCE
#error "the kernel headers are older than Linux 2.6.14"
#endif

enum {
    /* Larger than any part of a dump (32 KiB, or the family's min_dump_alloc) and almost any other datagram. Untouched
     * pages cost nothing. */
    BUFFER_SIZE = 1 << 20,
    /* A buffer that grew beyond this for one datagram is not used for the next. */
    BUFFER_REUSE_MAX = 4 << 20,
    /* Milliseconds between two tries to send: a netlink socket polls as writable even while its peer's receive buffer
     * is full. */
    SEND_PAUSE_MIN = 1,
    SEND_PAUSE_MAX = 20,
};

#define CLOSED UINT32_C(0x80000000)

struct nl_sock {
    /* The number of functions that use the descriptors, plus 1 while it is open, and the CLOSED bit. */
    _Atomic uint32_t state;
    _Atomic unsigned forks;        /* nl_forks() of the process that state and wake belong to */
    _Atomic int waiting;           /* a receive is in poll, or about to enter it */
    _Atomic int dumping;           /* a dump was requested and its end has not been received */
    _Atomic int64_t read_deadline; /* CLOCK_MONOTONIC ns, 0: none */
    _Atomic int64_t write_deadline;
    _Atomic int connected; /* to the kernel: a send needs no address */
    int fd;
    int wake; /* eventfd: readable if the socket was closed, or a deadline changed during a receive */
    uint32_t port;
    size_t fixed_size;
};

/* ---- forks ---- */

static unsigned forks;               /* between the process that loaded this and the current one */
static _Atomic unsigned forks_begun; /* and those of the current process, too */
static int atfork_error;             /* errno of pthread_atfork, 0 if it succeeded */
static pthread_mutex_t taking_over = PTHREAD_MUTEX_INITIALIZER;

/* Locks taking_over during a fork. In a child it is never locked by a thread that does not exist there. */
static void before_fork(void)
{
    pthread_mutex_lock(&taking_over);
    atomic_fetch_add(&forks_begun, 1);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&taking_over);
}

static void after_fork_in_child(void)
{
    forks++;
    pthread_mutex_unlock(&taking_over);
}

__attribute__((constructor)) static void count_forks(void)
{
    atfork_error = pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

unsigned nl_forks(void)
{
    return forks;
}

unsigned nl_forks_begun(void)
{
    return atomic_load(&forks_begun);
}

static int is_inherited(struct nl_sock *s)
{
    return atomic_load(&s->forks) != forks;
}

static void close_descriptors(struct nl_sock *s)
{
    close(s->fd);
    close(s->wake);
}

/* Makes an inherited socket this process's own, before its first use. The parent's threads do not exist here: their
 * calls of enter() never get a leave(). The eventfd is shared: a wake in one process would wake the other. */
static int take_over(struct nl_sock *s)
{
    int result = 0;
    pthread_mutex_lock(&taking_over);
    if (is_inherited(s) && !(atomic_load(&s->state) & CLOSED)) {
        int mine = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (mine < 0 || dup3(mine, s->wake, O_CLOEXEC) < 0)
            result = -errno;
        if (mine >= 0)
            close(mine);
        if (result == 0) {
            atomic_store(&s->waiting, 0);
            atomic_store(&s->state, 1);
            atomic_store(&s->forks, forks);
        }
    }
    pthread_mutex_unlock(&taking_over);
    return result;
}

/* Closes an inherited socket that this process has not used. */
static int close_inherited(struct nl_sock *s)
{
    int result = 0;
    uint32_t state = atomic_load(&s->state);
    if (state & CLOSED)
        result = -EBADF;
    if (state != CLOSED) /* else the parent had already closed it */
        close_descriptors(s);
    atomic_store(&s->state, CLOSED);
    atomic_store(&s->forks, forks);
    return result;
}

/* ---- lifetime ---- */

static int enter(struct nl_sock *s)
{
    int result = is_inherited(s) ? take_over(s) : 0;
    if (result < 0)
        return result;
    uint32_t state = atomic_load(&s->state);
    do {
        if (state & CLOSED)
            return -EBADF;
    } while (!atomic_compare_exchange_weak(&s->state, &state, state + 1));
    return 0;
}

static void leave(struct nl_sock *s)
{
    if (atomic_fetch_sub(&s->state, 1) == (CLOSED | 1))
        close_descriptors(s);
}

static int closed(struct nl_sock *s)
{
    return (atomic_load(&s->state) & CLOSED) != 0;
}

static void wake(struct nl_sock *s)
{
    uint64_t one = 1;
    ssize_t ignored = write(s->wake, &one, sizeof one); /* fails only if it is already readable */
    (void)ignored;
}

int nl_sock_close(struct nl_sock *s)
{
    if (is_inherited(s)) {
        pthread_mutex_lock(&taking_over);
        int inherited = is_inherited(s), result = inherited ? close_inherited(s) : 0;
        pthread_mutex_unlock(&taking_over);
        if (inherited)
            return result;
    }
    if (atomic_fetch_or(&s->state, CLOSED) & CLOSED)
        return -EBADF;
    wake(s);
    leave(s);
    return 0;
}

void nl_sock_free(struct nl_sock *s)
{
    if (s) {
        nl_sock_close(s);
        free(s);
    }
}

/* ---- opening ---- */

/* An open() or socket() in a network namespace. The result is in fd, or an errno in error. entered: whether the thread
 * is in the namespace. */
struct opening {
    int netns_fd;
    const char *netns;
    int (*open)(const struct opening *);
    int family;       /* for open_netlink */
    const char *file; /* for open_file */
    int fd;
    int error;
    int entered;
};

static int open_netlink(const struct opening *v)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, v->family);
}

static int open_file(const struct opening *v)
{
    return open(v->file, O_RDONLY | O_CLOEXEC);
}

static void *enter_netns_and_open(void *argument)
{
    struct opening *v = argument;
    int ns = v->netns_fd, opened = -1;
    if (v->netns) {
        ns = opened = open(v->netns, O_RDONLY | O_CLOEXEC);
        if (ns < 0) {
            v->error = errno;
            return NULL;
        }
    }
    v->entered = setns(ns, CLONE_NEWNET) == 0;
    if (!v->entered || (v->fd = v->open(v)) < 0)
        v->error = errno;
    if (opened >= 0)
        close(opened);
    return NULL;
}

/* Opens in a separate thread: a namespace belongs to a thread, and that of the calling thread must not change. */
static int open_in_thread(struct opening *v)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before); /* the interpreter's threads handle signals */
    if (error)
        return error;
    error = pthread_create(&thread, NULL, enter_netns_and_open, v);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return error;
    pthread_join(thread, NULL);
    return v->error;
}

/* Opens in a namespace; if none is given, in that of the caller. 0, or an errno. */
static int open_in_netns(struct opening *v)
{
    v->fd = -1;
    if (v->netns || v->netns_fd >= 0)
        return open_in_thread(v);
    v->entered = 1;
    v->fd = v->open(v);
    return v->fd < 0 ? errno : 0;
}

struct nl_sock *nl_sock_open(const struct nl_sock_options *options, enum nl_dial_step *step, int *error)
{
    struct nl_sock *s = atfork_error ? NULL : calloc(1, sizeof *s);
    *step = NL_DIAL_SOCKET;
    if (!s) {
        *error = ENOMEM;
        return NULL;
    }
    s->fd = s->wake = -1;
    s->fixed_size = options->fixed_size;
    atomic_init(&s->state, 1);
    atomic_init(&s->forks, forks);

    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_pid = options->pid, .nl_groups = options->groups};
    socklen_t size = sizeof address;
    struct opening v = {options->netns_fd, options->netns, open_netlink, .family = options->family};
    *error = open_in_netns(&v);
    if (!v.entered)
        *step = NL_DIAL_NETNS;
    if (*error)
        goto fail;
    s->fd = v.fd;
    *step = NL_DIAL_BIND;
    if ((s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
        bind(s->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&address, &size) < 0) {
        *error = errno;
        goto fail;
    }
    s->port = address.nl_pid;
    return s;

fail:
    if (s->fd >= 0)
        close(s->fd);
    if (s->wake >= 0)
        close(s->wake);
    free(s);
    return NULL;
}

ssize_t nl_read_in_netns(int netns_fd, const char *netns, const char *file, char *to, size_t size)
{
    struct opening v = {netns_fd, netns, open_file, .file = file};
    int error = open_in_netns(&v);
    if (error)
        return -error;
    size_t have = 0;
    ssize_t got;
    while (have < size && (got = read(v.fd, to + have, size - have)) != 0) {
        if (got < 0) {
            error = errno;
            close(v.fd);
            return -error;
        }
        have += (size_t)got;
    }
    close(v.fd);
    return (ssize_t)have;
}

int nl_sock_fd(struct nl_sock *s)
{
    return closed(s) ? -1 : s->fd;
}

uint32_t nl_sock_port(const struct nl_sock *s)
{
    return s->port;
}

/* ---- waiting ---- */

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int passed(const _Atomic int64_t *deadline)
{
    int64_t at = atomic_load(deadline);
    return at != 0 && now() >= at;
}

int nl_sock_set_deadlines(struct nl_sock *s, const int64_t *read_at, const int64_t *write_at)
{
    int result = enter(s);
    if (result < 0)
        return result;
    if (write_at)
        atomic_store(&s->write_deadline, *write_at); /* a waiting send reads it again at every try */
    if (read_at) {
        atomic_store(&s->read_deadline, *read_at);
        if (atomic_load(&s->waiting))
            wake(s);
    }
    leave(s);
    return 0;
}

/* For so long a wait lets nobody look for signals. */
#define PATIENCE ((int64_t)1000000000)

/* Waits until a datagram is queued. The caller has called enter(). -EINTR also after a while without anything: a signal
 * that another thread got, or that came just before the wait, interrupts nothing, and Python's handler still has to
 * run. */
static int wait_readable(struct nl_sock *s)
{
    int64_t look = now() + PATIENCE;
    for (;;) {
        /* Set before the deadline is read: a later change of the deadline writes to wake. */
        atomic_store(&s->waiting, 1);
        int64_t deadline = atomic_load(&s->read_deadline);
        int64_t left = (deadline && deadline < look ? deadline : look) - now();
        if (left < 0)
            left = 0;
        struct timespec limit = {left / 1000000000, left % 1000000000};
        struct pollfd fds[2] = {{s->fd, POLLIN, 0}, {s->wake, POLLIN, 0}};
        int ready = ppoll(fds, 2, &limit, NULL);
        int error = errno;
        atomic_store(&s->waiting, 0);
        if (closed(s))
            return -EBADF;
        if (ready < 0)
            return -error;
        if (fds[1].revents) {
            uint64_t count;
            ssize_t ignored = read(s->wake, &count, sizeof count);
            (void)ignored;
            if (closed(s)) { /* closed before the read: other waiters need this wake too */
                wake(s);
                return -EBADF;
            }
        }
        if (passed(&s->read_deadline))
            return -ETIMEDOUT;
        if (fds[0].revents)
            return 0;
        if (ready == 0 && now() >= look)
            return -EINTR;
    }
}

int nl_sock_wait_readable(struct nl_sock *s)
{
    int result = enter(s);
    if (result < 0)
        return result;
    result = wait_readable(s);
    leave(s);
    return result;
}

/* ---- sending ---- */

static int asks_for_dump(const void *datagram, size_t size)
{
    struct nl_cursor c = {datagram, size};
    struct nl_message m;
    while (nl_next_message(&c, &m) == NL_ITEM)
        if ((m.header.flags & NL_F_DUMP) == NL_F_DUMP)
            return 1;
    return 0;
}

static int ends_dump(const void *datagram, size_t size)
{
    struct nl_cursor c = {datagram, size};
    struct nl_message m;
    while (nl_next_message(&c, &m) == NL_ITEM)
        if (nl_ends_reply(&m.header))
            return 1;
    return 0;
}

int nl_sock_send(struct nl_sock *s, const void *datagram, size_t size, int wait)
{
    int result = enter(s);
    if (result < 0)
        return result;
    int dump = asks_for_dump(datagram, size);
    if (dump)
        atomic_store(&s->dumping, 1);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const struct sockaddr *to = atomic_load(&s->connected) ? NULL : (const struct sockaddr *)&kernel;
    for (int pause = SEND_PAUSE_MIN;;) {
        if (passed(&s->write_deadline)) {
            result = -ETIMEDOUT;
            break;
        }
        if (sendto(s->fd, datagram, size, MSG_DONTWAIT | MSG_NOSIGNAL, to, to ? sizeof kernel : 0) >= 0) {
            result = 0;
            break;
        }
        result = -errno;
        if (result != -EAGAIN || !wait)
            break;
        struct pollfd closing = {s->wake, POLLIN, 0};
        if (poll(&closing, 1, pause) < 0) {
            result = -errno;
            break;
        }
        if (closed(s)) {
            result = -EBADF;
            break;
        }
        pause = pause * 2 < SEND_PAUSE_MAX ? pause * 2 : SEND_PAUSE_MAX;
    }
    if (dump && result < 0)
        atomic_store(&s->dumping, 0);
    leave(s);
    return result;
}

/* ---- receiving ---- */

static int reserve(struct nl_buffer *b, size_t size)
{
    if (size < BUFFER_SIZE)
        size = BUFFER_SIZE;
    if (b->capacity >= size && (b->capacity <= BUFFER_REUSE_MAX || b->capacity == size))
        return 0;
    uint8_t *data = malloc(size);
    if (!data)
        return -ENOMEM;
    free(b->data); /* the old contents are not needed */
    b->data = data;
    b->capacity = size;
    return 0;
}

void nl_buffer_free(struct nl_buffer *b)
{
    free(b->data);
    b->data = NULL;
    b->capacity = 0;
}

/* A receive without waiting: the size or number of the datagrams, or an error. */
typedef ssize_t receive_now(struct nl_sock *s, void *to);

/* Tries until a datagram is received, wait is 0 or the deadline has passed. */
static ssize_t receive(struct nl_sock *s, receive_now *try, void *to, int wait)
{
    ssize_t result = enter(s);
    if (result < 0)
        return result;
    do
        result = passed(&s->read_deadline) ? -ETIMEDOUT : try(s, to);
    while (result == -EAGAIN && wait && (result = wait_readable(s)) == 0);
    leave(s);
    return result;
}

/* Receives a datagram into a buffer that has been reserved for it, or has the fixed size. */
static ssize_t to_reserved(struct nl_sock *s, struct nl_buffer *b)
{
    if (s->fixed_size && b->capacity != s->fixed_size) { /* the first receive */
        uint8_t *data = realloc(b->data, s->fixed_size);
        if (!data)
            return -ENOMEM;
        b->data = data;
        b->capacity = s->fixed_size;
    }
    ssize_t got = recv(s->fd, b->data, b->capacity, MSG_TRUNC | MSG_DONTWAIT);
    if (got < 0)
        return -errno;
    if ((size_t)got > b->capacity)
        return -EMSGSIZE;
    if (got < NL_HEADER) /* of another process: it has no message. As after a signal, the caller tries again */
        return -EINTR;
    if (atomic_load(&s->dumping) && ends_dump(b->data, (size_t)got))
        atomic_store(&s->dumping, 0);
    return got;
}

static ssize_t to_buffer(struct nl_sock *s, void *to)
{
    struct nl_buffer *b = to;
    if (!s->fixed_size) {
        /* The parts of a dump always fit: they are as long as the largest receive so far, up to 32 KiB. Any other
         * datagram may have any length: peek. */
        int dumping = atomic_load(&s->dumping);
        ssize_t queued = dumping ? 0 : recv(s->fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        if (queued < 0)
            return -errno;
        int result = reserve(b, (size_t)queued);
        if (result < 0)
            return result;
    }
    return to_reserved(s, b);
}

static ssize_t reply_to_buffer(struct nl_sock *s, void *to)
{
    int result = s->fixed_size ? 0 : reserve(to, 0);
    return result < 0 ? result : to_reserved(s, to);
}

ssize_t nl_sock_receive(struct nl_sock *s, struct nl_buffer *b, int wait)
{
    return receive(s, to_buffer, b, wait);
}

ssize_t nl_sock_receive_reply(struct nl_sock *s, struct nl_buffer *b)
{
    return receive(s, reply_to_buffer, b, 0);
}

struct place {
    void *at;
    size_t size;
    uint32_t *sender; /* NULL: not asked for */
};

static ssize_t to_place(struct nl_sock *s, void *to)
{
    struct place *p = to;
    struct sockaddr_nl from = {0};
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(s->fd, p->at, p->size, MSG_TRUNC | MSG_DONTWAIT, p->sender ? (struct sockaddr *)&from : NULL,
                           p->sender ? &length : NULL);
    if (p->sender)
        *p->sender = from.nl_pid;
    return got < 0 ? -errno : got;
}

ssize_t nl_sock_receive_at(struct nl_sock *s, void *to, size_t size, uint32_t *sender, int wait)
{
    struct place place = {to, size, sender};
    return receive(s, to_place, &place, wait);
}

static ssize_t to_ring(struct nl_sock *s, void *to)
{
    struct nl_ring *ring = to;
    for (unsigned i = 0; ring->credentials && i < ring->slots; i++) /* the kernel writes what it has used */
        ring->headers[i].msg_hdr.msg_controllen = sizeof ring->credentials[i].bytes;
    /* recvmmsg's own timeout is looked at only between datagrams: not used. */
    int count = recvmmsg(s->fd, ring->headers, ring->slots, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++)
        if (atomic_load(&s->dumping) && ring->headers[i].msg_len <= ring->slot_size &&
            ends_dump(ring->vectors[i].iov_base, ring->headers[i].msg_len))
            atomic_store(&s->dumping, 0);
    return count;
}

int nl_sock_receive_ring(struct nl_sock *s, struct nl_ring *ring, int wait)
{
    return (int)receive(s, to_ring, ring, wait);
}

int nl_ring_init(struct nl_ring *ring, unsigned slots, size_t slot_size, int parts)
{
    memset(ring, 0, sizeof *ring);
    if (!slots || !slot_size || slot_size > SIZE_MAX / slots)
        return -EINVAL;
    ring->memory = malloc(slots * slot_size);
    ring->headers = calloc(slots, sizeof *ring->headers);
    ring->vectors = calloc(slots, sizeof *ring->vectors);
    ring->senders = calloc(slots, sizeof *ring->senders);
    if (parts & NL_RING_CREDENTIALS)
        ring->credentials = calloc(slots, sizeof *ring->credentials);
    if (!ring->memory || !ring->headers || !ring->vectors || !ring->senders ||
        (parts & NL_RING_CREDENTIALS && !ring->credentials)) {
        nl_ring_free(ring);
        return -ENOMEM;
    }
    ring->slots = slots;
    ring->slot_size = slot_size;
    for (unsigned i = 0; i < slots; i++) {
        ring->vectors[i].iov_base = ring->memory + i * slot_size;
        ring->vectors[i].iov_len = slot_size;
        ring->headers[i].msg_hdr.msg_iov = &ring->vectors[i];
        ring->headers[i].msg_hdr.msg_iovlen = 1;
        if (ring->credentials)
            ring->headers[i].msg_hdr.msg_control = ring->credentials[i].bytes;
        if (!(parts & NL_RING_SENDERS))
            continue;
        ring->headers[i].msg_hdr.msg_name = &ring->senders[i];
        ring->headers[i].msg_hdr.msg_namelen = sizeof ring->senders[i]; /* the kernel writes the same value */
    }
    return 0;
}

void nl_ring_free(struct nl_ring *ring)
{
    free(ring->memory);
    free(ring->headers);
    free(ring->vectors);
    free(ring->senders);
    free(ring->credentials);
    memset(ring, 0, sizeof *ring);
}

uint32_t nl_ring_user(const struct nl_ring *ring, unsigned slot)
{
    struct msghdr *header = &ring->headers[slot].msg_hdr;
    if (ring->credentials)
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
                return nl_load32(CMSG_DATA(c) + sizeof(int)); /* struct ucred: pid, uid, gid */
    return UINT32_MAX;
}

/* ---- options ---- */

int nl_sock_connect(struct nl_sock *s)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    int result = enter(s);
    if (result < 0)
        return result;
    if (connect(s->fd, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        result = -errno;
    else
        atomic_store(&s->connected, 1);
    /* What others sent before. The limit is far beyond what a queue holds: groups may go on filling it. */
    for (int i = 0; !result && i < 1 << 16; i++)
        if (recv(s->fd, NULL, 0, MSG_DONTWAIT) < 0 && errno == EAGAIN)
            break;
    leave(s);
    return result;
}

int nl_sock_set_option(struct nl_sock *s, int level, int option, int value)
{
    int result = enter(s);
    if (result < 0)
        return result;
    if (setsockopt(s->fd, level, option, &value, sizeof value) < 0)
        result = -errno;
    leave(s);
    return result;
}

int nl_sock_pass_credentials(struct nl_sock *s)
{
    return nl_sock_set_option(s, SOL_SOCKET, SO_PASSCRED, 1);
}

int nl_sock_get_option(struct nl_sock *s, int level, int option, int *value)
{
    int result = enter(s);
    if (result < 0)
        return result;
    socklen_t size = sizeof *value;
    if (getsockopt(s->fd, level, option, value, &size) < 0)
        result = -errno;
    leave(s);
    return result;
}

int nl_sock_set_buffer(struct nl_sock *s, int option, int value)
{
    /* Needs CAP_NET_ADMIN in the initial user namespace. A sysctl limits the plain option. */
    int result = nl_sock_set_option(s, SOL_SOCKET, option == SO_RCVBUF ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, value);
    return result == -EPERM ? nl_sock_set_option(s, SOL_SOCKET, option, value) : result;
}

int nl_sock_attach_filter(struct nl_sock *s, const struct sock_filter *program, unsigned short length)
{
    int result = enter(s);
    if (result < 0)
        return result;
    struct sock_fprog whole = {length, (struct sock_filter *)program};
    if (setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole) < 0)
        result = -errno;
    leave(s);
    return result;
}

int nl_sock_detach_filter(struct nl_sock *s)
{
    return nl_sock_set_option(s, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

int nl_sock_drops(struct nl_sock *s, uint32_t *drops)
{
    int result = enter(s);
    if (result < 0)
        return result;
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;
    if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0)
        result = -errno;
    else
        *drops = info[SK_MEMINFO_DROPS];
    leave(s);
    return result;
}
