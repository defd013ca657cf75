/* Netlink sockets in plain C: no Python.h, so that it can be fuzzed, run under
 * sanitizers and called without the GIL.
 *
 * Every function that can fail returns a negative errno. -EINTR means that a
 * signal came before anything was done: run its handlers and call again.
 *
 * Threads: any function may be called from any thread at any time between
 * nl_sock_open and nl_sock_free. nl_sock_close wakes every waiter, and the
 * descriptors are closed by the last call that uses them, so that a number is
 * never given to somebody else under a call in flight.
 *
 * Forks: a child has the same socket, and may call anything but for what its
 * parent is using it for. The first call takes the child's side over, and may
 * fail as eventfd(2) does.
 */
#ifndef NETLINK_SOCK_H
#define NETLINK_SOCK_H

#include <linux/filter.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct nl_sock;

struct nl_sock_options {
    int family;        /* NETLINK_* */
    uint32_t groups;   /* sockaddr_nl.nl_groups */
    uint32_t pid;      /* sockaddr_nl.nl_pid, 0: the kernel chooses */
    int netns_fd;      /* -1: none */
    const char *netns; /* path of a network namespace, NULL: none */
    size_t fixed_size; /* receive buffer that is never grown, 0: size by peeking */
};

/* A buffer for received datagrams, grown as needed. Zero-initialised is empty. */
struct nl_buffer {
    uint8_t *data;
    size_t capacity;
};

/* Receive buffers of one size for many datagrams at once. */
struct nl_ring {
    unsigned slots;
    size_t slot_size;
    uint8_t *memory;
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_nl *senders;
};

/* How many forks lie between the process that loaded this and the one that asks: another number than before says that
 * what other threads were in the middle of stayed behind. */
unsigned nl_forks(void);

struct nl_sock *nl_sock_open(const struct nl_sock_options *options, int *error);
int nl_sock_close(struct nl_sock *s); /* 0, or -EBADF where it was closed already */
void nl_sock_free(struct nl_sock *s);

int nl_sock_fd(struct nl_sock *s); /* -1 once closed */
uint32_t nl_sock_port(const struct nl_sock *s);

/* Absolute, CLOCK_MONOTONIC nanoseconds, 0: none. Wakes a blocked receive, of which there may be one. */
int nl_sock_set_deadlines(struct nl_sock *s, const int64_t *read, const int64_t *write);

/* Sends one datagram to the kernel: 0 or an error, -EAGAIN where wait is 0 and it would have to wait. */
int nl_sock_send(struct nl_sock *s, const void *datagram, size_t size, int wait);

/* Waits until something is queued: 0 or an error. */
int nl_sock_wait_readable(struct nl_sock *s);

/* Receives one datagram: its size, or an error. -EAGAIN where wait is 0 and none is queued. -EMSGSIZE where it
 * did not fit; it is consumed then. */
ssize_t nl_sock_receive(struct nl_sock *s, struct nl_buffer *b, int wait);

/* Receives one datagram to a place of size bytes: its length, which is more than size where it was cut, or an error as
 * above. sender: its port, 0 for the kernel. */
ssize_t nl_sock_receive_at(struct nl_sock *s, void *to, size_t size, uint32_t *sender, int wait);

/* Receives the datagrams that are queued, at least one and at most ring->slots: how many, or an error as above.
 * Slot i holds a datagram of headers[i].msg_len bytes at vectors[i].iov_base, from the port senders[i].nl_pid;
 * MSG_TRUNC is set in headers[i].msg_hdr.msg_flags where it was longer than a slot. */
int nl_sock_receive_ring(struct nl_sock *s, struct nl_ring *ring, int wait);

int nl_ring_init(struct nl_ring *ring, unsigned slots, size_t slot_size);
void nl_ring_free(struct nl_ring *ring);
void nl_buffer_free(struct nl_buffer *b);

int nl_sock_set_option(struct nl_sock *s, int level, int option, int value);
int nl_sock_get_option(struct nl_sock *s, int level, int option, int *value);
/* SO_RCVBUFFORCE or SO_SNDBUFFORCE, and where that is not permitted SO_RCVBUF or SO_SNDBUF. */
int nl_sock_set_buffer(struct nl_sock *s, int option, int value);
int nl_sock_attach_filter(struct nl_sock *s, const struct sock_filter *program, unsigned short length);
int nl_sock_detach_filter(struct nl_sock *s);
int nl_sock_drops(struct nl_sock *s, uint32_t *drops);

/* Reads a file as it is in a network namespace, given as in nl_sock_options: how many bytes, or an error. */
ssize_t nl_read_in_netns(int netns_fd, const char *netns, const char *file, char *to, size_t size);

#endif
