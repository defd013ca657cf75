# The declarations of the codec for the other extension modules.

from libc.stdint cimport uint8_t, uint32_t

from netlink._wire cimport nl_header, nl_verdict


cdef class Header:
    cdef nl_header h
    cdef bint sealed


cdef class Message:
    cdef nl_header h
    cdef bint sealed
    cdef bytes payload


cdef bytes as_bytes(object data)
cdef object verdict_error(str op, const nl_verdict *v, uint32_t sequence)
cdef list parse_messages(const uint8_t *start, size_t size)
cdef int marshalled_size(const nl_header *header, bytes payload, size_t *size) except -1
cdef void marshal_into(const nl_header *header, bytes payload, uint8_t *out, size_t size) noexcept
cdef nl_header filled_header(Message message, uint32_t sequence, uint32_t pid) noexcept
cpdef Message filled(Message message, uint32_t sequence, uint32_t pid)
cdef int check_reply(const nl_header *request, const nl_header *reply) except -1
cdef object verdict_error(str op, const nl_verdict *v, uint32_t sequence)
