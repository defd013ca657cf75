"""An AF_NETLINK socket, over _sock.c.

`Socket` owns the descriptor. All its methods may be called from any thread at any time. Every system call runs without
the GIL. A request and its replies are one exchange only in `netlink.Conn`.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.errno cimport (
    EACCES,
    EADDRINUSE,
    EAFNOSUPPORT,
    EAGAIN,
    EBADF,
    EINTR,
    EINVAL,
    EMSGSIZE,
    ENOENT,
    ENOMEM,
    ENOTDIR,
    EPERM,
    EPROTONOSUPPORT,
)
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from netlink._codec cimport Message, marshal_into, marshalled_size, parse_messages
from netlink._wire cimport NL_HEADER, nl_load32

import itertools as _itertools
import os as _os

from netlink.config import Config
from netlink.errors import OpError

cdef extern from *:
    """
    #include <linux/netlink.h>
    #include <sys/socket.h>
    #ifndef SOL_NETLINK
    #define SOL_NETLINK 270
    #endif
    #include <errno.h>
    #include <sys/ioctl.h>
    #include <unistd.h>
    #ifndef SIOCGSKNS
    #define SIOCGSKNS 0x894C
    #endif
    static inline struct nl_buffer *nl_swap(struct nl_buffer **slot, struct nl_buffer *value)
    {
        return __atomic_exchange_n(slot, value, __ATOMIC_ACQ_REL);
    }
    """
    const int SIOCGSKNS
    int errno
    int ioctl(int fd, unsigned long request)
    int close(int fd)
    const int SOL_NETLINK
    const int SOL_SOCKET
    const int SO_RCVBUF
    const int SO_SNDBUF
    const int NETLINK_ADD_MEMBERSHIP
    const int NETLINK_DROP_MEMBERSHIP
    nl_buffer *nl_swap(nl_buffer **slot, nl_buffer *value) noexcept nogil


cdef bint interrupted(ssize_t result) except -1:
    """Whether to call again after -EINTR. Runs the handlers of signals; they may raise."""
    if result != -EINTR:
        return False
    PyErr_CheckSignals()
    return True


@cython.final
cdef class Socket:
    """A bound netlink socket. It has all methods of the `netlink.Socket` protocol, and others.

    family: NETLINK_* of linux/netlink.h.
    config: a `netlink.Config`.

    OpError(op="dial") if the kernel refuses. Every method raises OpError with its own op, EBADF if the socket is
    closed.
    """

    def __cinit__(self, family, config):
        cdef nl_sock_options options
        cdef int error = 0
        cdef nl_dial_step step
        cdef nl_sock *s
        cdef bytes path
        if not hasattr(family, "__index__"):
            raise TypeError(f"family must be an int such as Family.ROUTE, not {family!r}")
        if not isinstance(config, Config):
            raise TypeError(f"config must be a netlink.Config, not {config!r}")
        options.family = family
        options.groups = config.groups
        options.pid = config.pid
        options.netns_fd, path = namespace(config.netns)
        options.netns = NULL if path is None else PyBytes_AS_STRING(path)
        options.fixed_size = config.message_buffer_size
        while True:
            with nogil:
                s = nl_sock_open(&options, &step, &error)
            if s is not NULL or not interrupted(-error):
                break
        if s is NULL:
            raise OpError("dial", opening_error(error),
                          hint=dial_hint(step, error, config.netns if path is None else path))
        self.s = s
        self.message_buffer_size = options.fixed_size

    def __dealloc__(self):
        with nogil:
            nl_sock_free(self.s)
        if self.idle_buffer is not NULL:
            nl_buffer_free(self.idle_buffer)
            free(self.idle_buffer)

    cdef int check(self, str op, int result) except -1:
        if result < 0:
            raise OpError(op, -result)
        return 0

    def close(self):
        """Close the socket. Running methods end at once with EBADF. False if it was already closed."""
        cdef int result
        with nogil:
            result = nl_sock_close(self.s)
        return result == 0

    @property
    def closed(self):
        return nl_sock_fd(self.s) < 0

    def fileno(self):
        """The descriptor, -1 if closed."""
        return nl_sock_fd(self.s)

    @property
    def pid(self):
        """The port id of the socket."""
        return nl_sock_port(self.s)

    def set_deadlines(self, **deadlines):
        """Set deadlines, set_deadlines(read=..., write=...): absolute time.monotonic() seconds, None for none."""
        cdef int64_t read, write
        cdef bint set_read = "read" in deadlines, set_write = "write" in deadlines
        if set_read:
            read = nanoseconds(deadlines["read"])
        if set_write:
            write = nanoseconds(deadlines["write"])
        self.check("set-deadline",
                   nl_sock_set_deadlines(self.s, &read if set_read else NULL, &write if set_write else NULL))

    # Sending

    def send(self, Message m not None):
        """Send one message as one datagram."""
        self.send_datagram("send", m.marshal_binary(), True)

    def send_messages(self, messages):
        """Send messages as one datagram."""
        self.send_datagram("send-messages", marshal_messages(messages), True)

    def send_nowait(self, str op, messages):
        """Send messages as one datagram. False if that would have to wait; nothing is sent."""
        return self.send_datagram(op, marshal_messages(messages), False)

    def send_bytes(self, str op, bytes datagram, bint wait):
        """Send a datagram. False if wait is false and that would have to wait; nothing is sent."""
        return self.send_datagram(op, datagram, wait)

    cdef bint send_datagram(self, str op, object datagram, bint wait) except -1:
        cdef const char *data = PyBytes_AS_STRING(datagram)
        cdef size_t size = PyBytes_GET_SIZE(datagram)
        cdef int result
        while True:
            with nogil:
                result = nl_sock_send(self.s, data, size, wait)
            if not interrupted(result):
                break
        if result == -EAGAIN and not wait:
            return False
        self.check(op, result)
        return True

    # Receiving

    def receive(self):
        """The messages of the next datagram. Waits for it."""
        return self.next_datagram(True)

    def receive_nowait(self):
        """The messages of the next datagram, None if none is queued."""
        return self.next_datagram(False)

    cdef object next_datagram(self, bint wait):
        # Taken out while in use: a concurrent receive makes another buffer.
        cdef nl_buffer *buffer = nl_swap(&self.idle_buffer, NULL)
        cdef ssize_t got
        if buffer is NULL:
            buffer = <nl_buffer *>calloc(1, sizeof(nl_buffer))
            if buffer is NULL:
                raise MemoryError
        try:
            while True:
                with nogil:
                    got = nl_sock_receive(self.s, buffer, wait)
                if not interrupted(got):
                    break
            if got >= 0:
                return parse_messages(buffer.data, got)
            if got == -EAGAIN and not wait:
                return None
            raise receive_error(got, buffer)
        finally:
            buffer = nl_swap(&self.idle_buffer, buffer)
            if buffer is not NULL:
                nl_buffer_free(buffer)
                free(buffer)

    def wait_readable(self):
        """Wait until a datagram is queued. OpError(op="receive") as for `receive`, such as ETIMEDOUT and EBADF."""
        cdef int result
        while True:
            with nogil:
                result = nl_sock_wait_readable(self.s)
            if not interrupted(result):
                break
        self.check("receive", result)

    def receive_ring(self, Ring ring not None, bint wait=True):
        """The queued datagrams, at least one and at most one for each slot: a list of lists of messages.

        Empty if wait is false and none is queued. OpError (EMSGSIZE) if a datagram is longer than a slot; the other
        received datagrams are dropped with it.
        """
        cdef int count, i
        with cython.critical_section(ring):
            if not ring.idle:
                raise OpError("receive", OSError(EINVAL, "the ring is in use by another receive"))
            ring.idle = False
        try:
            while True:
                with nogil:
                    count = nl_sock_receive_ring(self.s, &ring.ring, wait)
                if not interrupted(count):
                    break
            if count == -EAGAIN and not wait:
                return []
            self.check("receive", count)
            for i in range(count):
                if ring.ring.headers[i].msg_hdr.msg_flags & MSG_TRUNC:
                    raise OpError("receive", OSError(EMSGSIZE, "Message too long for a ring's slot of "
                                                               f"{ring.ring.slot_size} bytes"))
            return [parse_messages(<const uint8_t *>ring.ring.vectors[i].iov_base, ring.ring.headers[i].msg_len)
                    for i in range(count)]
        finally:
            ring.idle = True

    # Options

    def connect(self):
        """Refuse what other processes send to this socket, and drop what is queued. Groups are not affected."""
        self.check("connect", nl_sock_connect(self.s))

    def join_group(self, uint32_t group):
        """NETLINK_ADD_MEMBERSHIP."""
        self.set_value("join-group", SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, <int>group)

    def leave_group(self, uint32_t group):
        """NETLINK_DROP_MEMBERSHIP."""
        self.set_value("leave-group", SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, <int>group)

    def set_option(self, int option, bint value):
        """A NETLINK_* socket option, on or off."""
        self.set_value("set-option", SOL_NETLINK, option, value)

    def pass_credentials(self):
        """SO_PASSCRED: rings with NL_RING_CREDENTIALS know the users that send."""
        cdef int result
        while True:
            with nogil:
                result = nl_sock_pass_credentials(self.s)
            if not interrupted(result):
                break
        self.check("set-option", result)

    def set_bpf(self, program):
        """SO_ATTACH_FILTER. program: a sequence of (code, jt, jf, k)."""
        instructions = list(_itertools.islice(program, 4097))
        cdef Py_ssize_t length = len(instructions), i
        if not length:
            raise ValueError("the BPF program is empty")
        if length > 4096:
            raise ValueError("a BPF program must have at most 4096 instructions (BPF_MAXINSNS)")
        cdef sock_filter *filters = <sock_filter *>PyMem_Malloc(length * sizeof(sock_filter))
        cdef int result
        if filters is NULL:
            raise MemoryError
        try:
            for i in range(length):
                code, jt, jf, k = instructions[i]
                filters[i].code = code
                filters[i].jt = jt
                filters[i].jf = jf
                filters[i].k = k
            while True:
                with nogil:
                    result = nl_sock_attach_filter(self.s, filters, <unsigned short>length)
                if not interrupted(result):
                    break
        finally:
            PyMem_Free(filters)
        if result == -ENOMEM:
            raise OpError("set-bpf", OSError(ENOMEM, f"{_os.strerror(ENOMEM)}: the program does not fit "
                                                     "net.core.optmem_max"))
        self.check("set-bpf", result)

    def remove_bpf(self):
        """SO_DETACH_FILTER."""
        cdef int result
        while True:
            with nogil:
                result = nl_sock_detach_filter(self.s)
            if not interrupted(result):
                break
        self.check("remove-bpf", result)

    def set_read_buffer(self, n):
        """SO_RCVBUFFORCE; if that is not permitted, SO_RCVBUF."""
        self.set_buffer("set-read-buffer", SO_RCVBUF, n)

    def set_write_buffer(self, n):
        """SO_SNDBUFFORCE; if that is not permitted, SO_SNDBUF."""
        self.set_buffer("set-write-buffer", SO_SNDBUF, n)

    def read_buffer(self):
        """SO_RCVBUF in bytes: twice the size that was set, since the kernel counts its own overhead."""
        return self.get_value("get-read-buffer", SO_RCVBUF)

    def write_buffer(self):
        """SO_SNDBUF in bytes, as for read_buffer."""
        return self.get_value("get-write-buffer", SO_SNDBUF)

    @property
    def drops(self):
        """SK_MEMINFO_DROPS of linux/sock_diag.h: datagrams that the kernel dropped at this socket."""
        cdef uint32_t drops = 0
        cdef int result
        while True:
            with nogil:
                result = nl_sock_drops(self.s, &drops)
            if not interrupted(result):
                break
        self.check("drops", result)
        return drops

    cdef int set_value(self, str op, int level, int option, int value) except -1:
        cdef int result
        while True:
            with nogil:
                result = nl_sock_set_option(self.s, level, option, value)
            if not interrupted(result):
                break
        return self.check(op, result)

    cdef int get_value(self, str op, int option) except? -1:
        cdef int result, value = 0
        while True:
            with nogil:
                result = nl_sock_get_option(self.s, SOL_SOCKET, option, &value)
            if not interrupted(result):
                break
        self.check(op, result)
        return value

    cdef int set_buffer(self, str op, int option, object n) except -1:
        cdef int result, value
        if not 0 <= n <= 0x7fffffff:
            raise ValueError(f"a buffer size must be from 0 to {0x7fffffff}, not {n}")
        value = n
        while True:
            with nogil:
                result = nl_sock_set_buffer(self.s, option, value)
            if not interrupted(result):
                break
        return self.check(op, result)


cdef str dial_hint(nl_dial_step step, int error, object netns):
    """What to do about an error of a step of dial. netns: the descriptor or path of the namespace, or None."""
    if step == NL_DIAL_NETNS:
        what = repr(_os.fsdecode(netns)) if isinstance(netns, bytes) else f"descriptor {netns}"
        if error == ENOENT or error == ENOTDIR:
            return f"there is no network namespace {what}"
        if error == EINVAL or error == EBADF:
            return f"{what} is not a network namespace"
        if error == EPERM:
            return f"to enter {what}, CAP_SYS_ADMIN is needed in this user namespace and in that of the target"
        if error == EACCES:
            return f"{what} cannot be opened; the namespace of another user's process needs CAP_SYS_PTRACE"
    elif step == NL_DIAL_SOCKET:
        if error == EPROTONOSUPPORT:
            return "the kernel lacks this netlink family, or its module is not loaded"
        if error == EPERM or error == EACCES or error == EAFNOSUPPORT:
            return "a sandbox, such as a seccomp filter of a container or of systemd, refuses netlink sockets"
    elif error == EPERM:
        return "the groups need CAP_NET_ADMIN in the user namespace of the network namespace"
    elif error == EADDRINUSE:
        return "another socket of the network namespace has this port id: 0 lets the kernel choose one"
    return ""


cdef tuple namespace(object netns):
    """The netns of a `Config` as a descriptor or -1, and a path or None."""
    if netns is None:
        return -1, None
    if hasattr(netns, "__index__"):
        return netns, None
    path = _os.fsencode(netns)
    # A bare name is one of ip-netns(8).
    return -1, path if b"/" in path else b"/run/netns/" + path


cdef object opening_error(int error):
    """The OSError of an errno of nl_sock_open or nl_read_in_netns."""
    if error == EAGAIN:  # of pthread_create alone
        return OSError(ENOMEM, "no thread can be started to enter the network namespace: the limits of memory, address "
                               "space or threads are reached (RLIMIT_AS, RLIMIT_NPROC, pids.max)")
    return OSError(error, _os.strerror(error))


@cython.final
cdef class Namespace:
    """A descriptor of the network namespace of a socket, closed with this object. OpError(op="dial") without one."""

    cdef readonly int fd

    def __cinit__(self, Socket sock not None):
        self.fd = ioctl(nl_sock_fd(sock.s), SIOCGSKNS)
        if self.fd < 0:
            raise OpError("dial", errno)

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)


def read_in_netns(netns, str file not None):
    """A file, read in a network namespace. netns: as in `Config`. OSError if that fails."""
    cdef int fd
    cdef bytes path, data, name = _os.fsencode(file)
    cdef const char *where
    cdef const char *what = PyBytes_AS_STRING(name)
    cdef char *to
    cdef ssize_t got, size = 4096
    fd, path = namespace(netns)
    where = NULL if path is None else PyBytes_AS_STRING(path)
    while True:
        data = PyBytes_FromStringAndSize(NULL, size)
        to = PyBytes_AS_STRING(data)
        with nogil:
            got = nl_read_in_netns(fd, where, what, to, size)
        if got == size:
            size *= 4  # there may be more
        elif not interrupted(got):
            break
    if got < 0:
        error = opening_error(<int>-got)
        raise OSError(error.errno, error.strerror, file)
    return data[:got]


cdef object receive_error(ssize_t got, const nl_buffer *buffer):
    """The error of a receive into a buffer. got: its negative result."""
    if got == -EMSGSIZE:
        return OpError("receive", OSError(EMSGSIZE, "Message too long for a receive buffer of "
                                                    f"{buffer.capacity} bytes; it was dropped"),
                       sequence=nl_load32(buffer.data + 8) if buffer.capacity >= NL_HEADER else 0)
    return OpError("receive", -got)


cdef int send_from(Socket sock, const void *datagram, size_t size) noexcept nogil:
    """nl_sock_send of the socket, which waits."""
    return nl_sock_send(sock.s, datagram, size, True)


cdef ssize_t receive_reply(Socket sock, nl_buffer *buffer) noexcept nogil:
    """nl_sock_receive_reply of the socket."""
    return nl_sock_receive_reply(sock.s, buffer)


cdef ssize_t receive_into(Socket sock, nl_buffer *buffer, int wait) noexcept nogil:
    """nl_sock_receive of the socket."""
    return nl_sock_receive(sock.s, buffer, wait)


cdef ssize_t receive_at(Socket sock, void *to, size_t size, uint32_t *sender, int wait) noexcept nogil:
    """nl_sock_receive_at of the socket."""
    return nl_sock_receive_at(sock.s, to, size, sender, wait)


cdef int receive_ring(Socket sock, nl_ring *ring, int wait) noexcept nogil:
    """nl_sock_receive_ring of the socket."""
    return nl_sock_receive_ring(sock.s, ring, wait)


cdef unsigned forks() noexcept nogil:
    """nl_forks of this process."""
    return nl_forks()


cdef unsigned forks_begun() noexcept nogil:
    """nl_forks_begun of this process."""
    return nl_forks_begun()


cdef int drops(Socket sock, uint32_t *count) noexcept nogil:
    """nl_sock_drops of the socket."""
    return nl_sock_drops(sock.s, count)


cdef void free_buffer(nl_buffer *buffer) noexcept nogil:
    nl_buffer_free(buffer)


cdef int init_ring(nl_ring *ring, unsigned slots, size_t slot_size, int parts) noexcept nogil:
    return nl_ring_init(ring, slots, slot_size, parts)


cdef uint32_t user_of(const nl_ring *ring, unsigned slot) noexcept nogil:
    """nl_ring_user of the ring."""
    return nl_ring_user(ring, slot)


cdef void free_ring(nl_ring *ring) noexcept nogil:
    nl_ring_free(ring)


cdef object marshal_messages(object messages):
    cdef list all_ = list(messages)
    cdef size_t total = 0, size
    cdef uint8_t *out
    cdef Message m
    for item in all_:
        m = <Message?>item
        marshalled_size(&m.h, m.payload, &size)
        total += size
    datagram = PyBytes_FromStringAndSize(NULL, total)
    out = <uint8_t *>PyBytes_AS_STRING(datagram)
    for item in all_:
        m = <Message>item
        marshalled_size(&m.h, m.payload, &size)
        marshal_into(&m.h, m.payload, out, size)
        out += size
    return datagram


cdef int64_t nanoseconds(object deadline) except? -1:
    if deadline is None:
        return 0
    if not deadline > 0:  # in the past, or NaN
        return 1
    if deadline >= 9e9:
        return 0
    return max(<int64_t>1, <int64_t>(deadline * 1e9))


@cython.final
cdef class Ring:
    """Receive buffers for `Socket.receive_ring`: slots of slot_size bytes each. Every receive uses them again.

    ValueError if slots or slot_size is 0. MemoryError if there is not enough memory.
    """

    def __cinit__(self, unsigned slots, size_t slot_size):
        cdef int result = nl_ring_init(&self.ring, slots, slot_size, 0)
        if result == -EINVAL:
            raise ValueError("a ring needs at least one slot, of at least one byte")
        if result == -ENOMEM:
            raise MemoryError
        self.idle = True

    def __dealloc__(self):
        nl_ring_free(&self.ring)
