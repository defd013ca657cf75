/* Netlink sockets in plain C, without Python.h: fuzzers and sanitizers can run it,
 * and calls need no GIL.
 *
 * Every function that can fail returns a negative errno. -EINTR means that a
 * signal arrived before anything was done: run its handlers and call again.
 *
 * Threads: any function may be called from any thread at any time between
 * nl_sock_open and nl_sock_free. nl_sock_close wakes every waiter. The last
 * function that uses the descriptors closes them: the kernel never reuses a
 * number while a function still uses it.
 *
 * Forks: a child shares the socket with its parent. It may call any function that
 * does not interfere with the parent's use. The first one makes the socket the
 * child's own, and may fail as eventfd(2) does.
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
    size_t fixed_size; /* bytes of a receive buffer that never grows, 0: its size is found by peeking */
};

/* A buffer for received datagrams, which grows as needed. Empty if all zero. */
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
    struct nl_credentials *credentials; /* NULL: not asked for */
};

/* Where the kernel writes the credentials of a datagram's sender. */
struct nl_credentials {
    _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(3 * sizeof(int))];
};

/* The number of forks between the process that loaded this and the calling one. If it has changed, this is a child: the
 * parent's other threads do not exist here, and their operations never end. */
unsigned nl_forks(void);

/* These, and the forks that the calling process has begun: if the number has changed, another process may have what
 * this one has opened. */
unsigned nl_forks_begun(void);

/* The steps of nl_sock_open. */
enum nl_dial_step { NL_DIAL_NETNS, NL_DIAL_SOCKET, NL_DIAL_BIND };

/* NULL if a step fails, with an errno. */
struct nl_sock *nl_sock_open(const struct nl_sock_options *options, enum nl_dial_step *step, int *error);
int nl_sock_close(struct nl_sock *s); /* 0, or -EBADF if it was already closed */
void nl_sock_free(struct nl_sock *s);

int nl_sock_fd(struct nl_sock *s); /* -1 once closed */
uint32_t nl_sock_port(const struct nl_sock *s);

/* Sets deadlines: absolute CLOCK_MONOTONIC nanoseconds, 0: none; NULL leaves one unchanged. Wakes the one receive that
 * may be waiting. */
int nl_sock_set_deadlines(struct nl_sock *s, const int64_t *read, const int64_t *write);

/* Sends one datagram to the kernel: 0 or an error; -EAGAIN if wait is 0 and it would have to wait. */
int nl_sock_send(struct nl_sock *s, const void *datagram, size_t size, int wait);

/* Waits until something is queued: 0 or an error. */
int nl_sock_wait_readable(struct nl_sock *s);

/* Receives one datagram: its size, or an error. -EAGAIN if wait is 0 and none is queued. -EMSGSIZE if it did not fit;
 * the datagram is lost then. */
ssize_t nl_sock_receive(struct nl_sock *s, struct nl_buffer *b, int wait);

/* The same for the reply to a small request, which is in no dump: without waiting, and without asking for its size. */
ssize_t nl_sock_receive_reply(struct nl_sock *s, struct nl_buffer *b);

/* Receives one datagram into size bytes: its length, which exceeds size if it was cut, or an error as above. sender:
 * its port, 0 for the kernel; NULL if it is of no interest, which saves time. */
ssize_t nl_sock_receive_at(struct nl_sock *s, void *to, size_t size, uint32_t *sender, int wait);

/* Receives the queued datagrams, at least one and at most ring->slots: their number, or an error as above. Slot i has a
 * datagram of headers[i].msg_len bytes at vectors[i].iov_base, from the port senders[i].nl_pid. If the datagram was
 * longer than a slot, headers[i].msg_hdr.msg_flags has MSG_TRUNC. */
int nl_sock_receive_ring(struct nl_sock *s, struct nl_ring *ring, int wait);

/* What a ring has of each datagram beside its bytes. Without NL_RING_SENDERS all senders are 0, which saves time. */
enum { NL_RING_SENDERS = 1, NL_RING_CREDENTIALS = 2 };

int nl_ring_init(struct nl_ring *ring, unsigned slots, size_t slot_size, int parts);

/* The user that sent the datagram of a slot, as this user namespace numbers it; 0 for the kernel. UINT32_MAX if the
 * socket or the ring is without credentials. */
uint32_t nl_ring_user(const struct nl_ring *ring, unsigned slot);
void nl_ring_free(struct nl_ring *ring);
void nl_buffer_free(struct nl_buffer *b);

/* Has the kernel refuse what other processes send to the socket from now on (ECONNREFUSED), and drops what is queued:
 * 0 or an error. Messages to the socket's groups still come from every process that may send to these. */
int nl_sock_connect(struct nl_sock *s);

/* Has the kernel pass the credentials of senders (SO_PASSCRED). */
int nl_sock_pass_credentials(struct nl_sock *s);
int nl_sock_set_option(struct nl_sock *s, int level, int option, int value);
int nl_sock_get_option(struct nl_sock *s, int level, int option, int *value);
/* Sets SO_RCVBUFFORCE or SO_SNDBUFFORCE; if that is not permitted, SO_RCVBUF or SO_SNDBUF. */
int nl_sock_set_buffer(struct nl_sock *s, int option, int value);
int nl_sock_attach_filter(struct nl_sock *s, const struct sock_filter *program, unsigned short length);
int nl_sock_detach_filter(struct nl_sock *s);
int nl_sock_drops(struct nl_sock *s, uint32_t *drops);

/* Reads a file in a network namespace, which is given as in nl_sock_options, to its end or up to size bytes: the number
 * of bytes, or an error. */
ssize_t nl_read_in_netns(int netns_fd, const char *netns, const char *file, char *to, size_t size);

#endif
