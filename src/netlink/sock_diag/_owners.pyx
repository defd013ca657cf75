"""Processes that have sockets open, and connections in the shape of psutil's, made without a Python loop."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from netlink._engine.record cimport (
    Batch,
    Field,
    Store,
    Table,
    nl_load_int,
    nl_whole_address_bytes,
    table_of,
)

import os as _os

cdef extern from "sock_diag/_owners.h" nogil:
    struct nl_owner:
        uint64_t inode
        int32_t pid
        int32_t fd

    struct nl_owners:
        nl_owner *items
        size_t count

    int nl_owners_add(nl_owners *o, uint64_t inode, int32_t pid, int32_t fd)
    int nl_owners_numbers(nl_owners *o, int directory)
    int nl_owners_walk(nl_owners *o, int proc, const nl_owners *processes, size_t *refused)
    void nl_owners_sort(nl_owners *o)
    void nl_owners_free(nl_owners *o)
    const nl_owner *nl_owners_find(const nl_owners *o, uint64_t inode, size_t *count)

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_alloc)(PyTypeObject *, Py_ssize_t)

    void PyObject_GC_UnTrack(void *)

cdef extern from *:
    """
    #include <arpa/inet.h>
    #include <sys/socket.h>
    static PyObject *nl_address_text(const uint8_t *bytes, unsigned count)
    {
        char text[INET6_ADDRSTRLEN];
        inet_ntop(count == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
        return PyUnicode_FromString(text);
    }
    """
    str nl_address_text(const uint8_t *bytes, unsigned count)


@cython.final
cdef class Owners:
    """The sockets that processes have open, at the time when this is made.

    pids: the processes; None for all of them. proc: where procfs is. OSError if it cannot be read.
    refused: how many processes this user may not look into.
    """

    cdef nl_owners found
    cdef readonly size_t refused

    def __cinit__(self, pids=None, proc="/proc"):
        cdef nl_owners processes
        cdef int result = 0, fd
        cdef int32_t pid
        memset(&processes, 0, sizeof(processes))
        fd = _os.open(proc, _os.O_RDONLY | _os.O_DIRECTORY)
        try:
            if pids is None:
                result = nl_owners_numbers(&processes, fd)
            else:
                for pid in sorted(set(pids)):
                    if result == 0:
                        result = nl_owners_add(&processes, 0, pid, -1)
            if result == 0:
                with nogil:
                    result = nl_owners_walk(&self.found, fd, &processes, &self.refused)
        finally:
            nl_owners_free(&processes)
            _os.close(fd)
        if result < 0:
            raise OSError(-result, _os.strerror(-result), proc)
        with nogil:
            nl_owners_sort(&self.found)
        PyErr_CheckSignals()

    def __dealloc__(self):
        nl_owners_free(&self.found)

    def __len__(self):
        """The number of descriptors."""
        return self.found.count

    def by_inode(self):
        """A dict from the inode of a socket to its (pid, fd) pairs, in their order."""
        cdef dict found = {}
        cdef list pairs = None
        cdef uint64_t last = 0
        cdef size_t i
        for i in range(self.found.count):
            if pairs is None or self.found.items[i].inode != last:
                last = self.found.items[i].inode
                pairs = found[last] = []
            pairs.append((self.found.items[i].pid, self.found.items[i].fd))
        return found


cdef struct Place:
    uint32_t offset
    uint32_t width


cdef Place place_of(Field header, str name) except *:
    """The place of a field of the header in a record."""
    cdef Field field = header.cls.__fields__[name]
    cdef Place place
    place.offset = header.offset + field.offset
    place.width = field.size
    return place


cdef inline object made(object cls, Py_ssize_t size):
    """A tuple of a class derived from tuple, whose items are to be set.

    One of texts and numbers is in no cycle, and the garbage collector need not visit it: of many thousands that costs
    a tenth of the time.
    """
    return (<PyTypeObject *>cls).tp_alloc(<PyTypeObject *>cls, size)


cdef inline void put(object made, Py_ssize_t i, object value):
    Py_INCREF(value)
    PyTuple_SET_ITEM(made, i, value)


@cython.final
cdef class _Rows:
    """Makes connections of the records of one batch."""

    cdef object connection, address
    cdef uint8_t last[16]
    cdef unsigned last_count
    cdef str last_text

    def __cinit__(self, connection, address):
        self.connection = connection
        self.address = address

    cdef object end(self, const uint8_t *at, uint32_t port):
        """An address and its port; an empty tuple without a port."""
        cdef unsigned count = 0, i
        cdef const uint8_t *bytes
        cdef bint same
        if not port:
            return ()
        bytes = nl_whole_address_bytes(at, &count)
        # Neighbours in the kernel's table often have an address in common.
        same = count == self.last_count
        if same:
            for i in range(count):
                if bytes[i] != self.last[i]:
                    same = False
                    break
        if not same:
            self.last_text = nl_address_text(bytes, count)
            self.last_count = count
            for i in range(count):
                self.last[i] = bytes[i]
        end = made(self.address, 2)
        put(end, 0, self.last_text)
        put(end, 1, port)
        PyObject_GC_UnTrack(<void *>end)
        return end


def rows(Batch batch not None, family_of, kind, statuses, Owners owners, connection, address, list into not None):
    """Append a connection for each record of a batch of `Endpoint` to a list.

    family_of: socket families by number. kind: of all of the sockets. statuses: texts by state. owners: None for no
    processes. connection, address: classes of 7 and 2 items, derived from tuple.
    """
    cdef Field header = batch.cls.__fields__["header"]
    cdef Place family = place_of(header, "family"), state = place_of(header, "state")
    cdef Place src_port = place_of(header, "src_port"), dst_port = place_of(header, "dst_port")
    cdef Place src = place_of(header, "src"), dst = place_of(header, "dst"), inode = place_of(header, "inode")
    cdef Store store = batch.store
    cdef Table table = table_of(batch.cls)
    cdef size_t stride = table.set.record_size + 4, count
    cdef const uint8_t *record
    cdef const nl_owner *owner
    cdef Py_ssize_t i
    cdef _Rows local = _Rows(connection, address), remote = _Rows(connection, address)
    if connection.__itemsize__ != tuple.__itemsize__ or address.__itemsize__ != tuple.__itemsize__:
        raise TypeError("connections and addresses are tuples")
    for i in range(batch.length):
        record = store.records.data + (batch.first + i * batch.step) * stride
        row = made(connection, 7)
        count = 0
        owner = NULL
        if owners is not None:
            owner = nl_owners_find(&owners.found, nl_load_int(record + inode.offset, inode.width, 0), &count)
        # Of several processes the last, of its descriptors the first: as psutil has it.
        while count and owner[0].pid != owner[count - 1].pid:
            owner += 1
            count -= 1
        put(row, 0, owner[0].fd if count else -1)
        put(row, 1, family_of[record[family.offset]])
        put(row, 2, kind)
        put(row, 3, local.end(record + src.offset, <uint32_t>nl_load_int(record + src_port.offset, src_port.width, 0)))
        put(row, 4, remote.end(record + dst.offset, <uint32_t>nl_load_int(record + dst_port.offset, dst_port.width, 0)))
        put(row, 5, statuses[record[state.offset]])
        put(row, 6, owner[0].pid if count else None)
        PyObject_GC_UnTrack(<void *>row)
        into.append(row)
