# The declarations of _sock.h for Cython, and of the class that owns a netlink socket.

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef extern from "<sys/socket.h>" nogil:
    const int MSG_TRUNC

cdef extern from "_sock.h" nogil:
    struct sock_filter:
        unsigned short code
        unsigned char jt
        unsigned char jf
        unsigned int k

    struct iovec:
        void *iov_base
        size_t iov_len

    struct msghdr:
        int msg_flags

    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

    struct sockaddr_nl:
        uint32_t nl_pid

    struct nl_sock:
        pass

    struct nl_sock_options:
        int family
        uint32_t groups
        uint32_t pid
        int netns_fd
        const char *netns
        size_t fixed_size

    struct nl_buffer:
        uint8_t *data
        size_t capacity

    struct nl_ring:
        unsigned slots
        size_t slot_size
        uint8_t *memory
        mmsghdr *headers
        iovec *vectors
        sockaddr_nl *senders

    enum:
        NL_RING_SENDERS
        NL_RING_CREDENTIALS

    int nl_sock_wait_readable(nl_sock *s) noexcept
    unsigned nl_forks() noexcept
    unsigned nl_forks_begun() noexcept
    enum nl_dial_step:
        NL_DIAL_NETNS
        NL_DIAL_SOCKET
        NL_DIAL_BIND

    nl_sock *nl_sock_open(const nl_sock_options *options, nl_dial_step *step, int *error) noexcept
    int nl_sock_close(nl_sock *s) noexcept
    void nl_sock_free(nl_sock *s) noexcept
    int nl_sock_fd(nl_sock *s) noexcept
    uint32_t nl_sock_port(const nl_sock *s) noexcept
    int nl_sock_set_deadlines(nl_sock *s, const int64_t *read, const int64_t *write) noexcept
    int nl_sock_send(nl_sock *s, const void *datagram, size_t size, int wait) noexcept
    ssize_t nl_sock_receive(nl_sock *s, nl_buffer *b, int wait) noexcept
    ssize_t nl_sock_receive_reply(nl_sock *s, nl_buffer *b) noexcept
    ssize_t nl_sock_receive_at(nl_sock *s, void *to, size_t size, uint32_t *sender, int wait) noexcept
    int nl_sock_receive_ring(nl_sock *s, nl_ring *ring, int wait) noexcept
    int nl_ring_init(nl_ring *ring, unsigned slots, size_t slot_size, int parts) noexcept
    uint32_t nl_ring_user(const nl_ring *ring, unsigned slot) noexcept
    void nl_ring_free(nl_ring *ring) noexcept
    void nl_buffer_free(nl_buffer *b) noexcept
    int nl_sock_connect(nl_sock *s) noexcept
    int nl_sock_pass_credentials(nl_sock *s) noexcept
    int nl_sock_set_option(nl_sock *s, int level, int option, int value) noexcept
    int nl_sock_get_option(nl_sock *s, int level, int option, int *value) noexcept
    int nl_sock_set_buffer(nl_sock *s, int option, int value) noexcept
    int nl_sock_attach_filter(nl_sock *s, const sock_filter *program, unsigned short length) noexcept
    int nl_sock_detach_filter(nl_sock *s) noexcept
    int nl_sock_drops(nl_sock *s, uint32_t *drops) noexcept
    ssize_t nl_read_in_netns(int netns_fd, const char *netns, const char *file, char *to, size_t size) noexcept


cdef class Socket:
    cdef nl_sock *s
    cdef nl_buffer *idle_buffer     # the receive buffer, NULL while a receive uses it
    cdef readonly size_t message_buffer_size

    cdef bint send_datagram(self, str op, object datagram, bint wait) except -1
    cdef object next_datagram(self, bint wait)
    cdef int check(self, str op, int result) except -1
    cdef int set_value(self, str op, int level, int option, int value) except -1
    cdef int get_value(self, str op, int option) except? -1
    cdef int set_buffer(self, str op, int option, object n) except -1


cdef class Ring:
    cdef nl_ring ring
    cdef bint idle


# Functions of _sock.h for the other extension modules, which are not linked with _sock.c.
cdef int send_from(Socket sock, const void *datagram, size_t size) noexcept nogil
cdef ssize_t receive_reply(Socket sock, nl_buffer *buffer) noexcept nogil
cdef object receive_error(ssize_t got, const nl_buffer *buffer)
cdef ssize_t receive_into(Socket sock, nl_buffer *buffer, int wait) noexcept nogil
cdef ssize_t receive_at(Socket sock, void *to, size_t size, uint32_t *sender, int wait) noexcept nogil
cdef int receive_ring(Socket sock, nl_ring *ring, int wait) noexcept nogil
cdef unsigned forks() noexcept nogil
cdef unsigned forks_begun() noexcept nogil
cdef int drops(Socket sock, uint32_t *count) noexcept nogil
cdef void free_buffer(nl_buffer *buffer) noexcept nogil
cdef int init_ring(nl_ring *ring, unsigned slots, size_t slot_size, int parts) noexcept nogil
cdef uint32_t user_of(const nl_ring *ring, unsigned slot) noexcept nogil
cdef void free_ring(nl_ring *ring) noexcept nogil
