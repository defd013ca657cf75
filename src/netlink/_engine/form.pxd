# The declarations of form.h for Cython, and of the classes over it.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from netlink._engine.record cimport nl_area

cdef extern from "_engine/form.h" nogil:
    enum:
        NL_FORM_OTHER

    struct nl_member:
        uint32_t at
        uint32_t width
        uint32_t length
        uint16_t type

    struct nl_layout:
        uint32_t value
        uint32_t ignored
        const nl_member *members
        size_t count

    struct nl_text_key:
        const char *name
        size_t size
        uint16_t type
        uint16_t width

    int nl_put(nl_area *out, const void *bytes, size_t size) noexcept
    int nl_form_put(nl_area *out, uint16_t type, const void *bytes, size_t size) noexcept
    int nl_form_integer(nl_area *out, uint16_t type, unsigned width, uint64_t number) noexcept
    int nl_form_layout(const nl_layout *l, const uint8_t *data, size_t size, nl_area *out) noexcept
    int nl_form_texts(const nl_text_key *keys, size_t count, uint16_t all, const uint8_t *data, size_t size,
                      nl_area *out) noexcept
    bint nl_form_has(const nl_text_key *wanted, size_t count, const uint8_t *data, size_t size) noexcept
    size_t nl_form_stamp(const uint8_t *text, size_t size, uint64_t *ms, uint64_t *serial) noexcept


cdef class Form:
    cdef readonly object declaration
    cdef bytes begin                # what a datagram has at begin_at
    cdef const char *begin_bytes
    cdef size_t begin_size
    cdef size_t begin_at
    cdef readonly uint64_t missing  # messages that did not come, by their numbers

    cdef bint begins(self, const uint8_t *data, size_t size) noexcept nogil
    # Overridden by subclasses.
    cdef int write(self, const uint8_t *data, size_t size, nl_area *out) noexcept nogil


cdef class Payloads(Form):
    pass


cdef class Layouts(Form):
    cdef nl_member *members
    cdef nl_layout *layouts         # the first for all datagrams, the last for values without one
    cdef size_t count
    cdef size_t on
    cdef bint numbered
    cdef size_t number              # offset of a message's number
    cdef size_t counter             # offset of the number of what counts it
    cdef uint32_t *following        # by counter
    cdef uint8_t *seen              # by counter

    cdef void count_missing(self, const uint8_t *data, size_t size) noexcept nogil


cdef class Texts(Form):
    cdef nl_text_key *keys
    cdef size_t count
    cdef nl_text_key *wanted
    cdef size_t wanted_count        # 0: all
    cdef list names                 # the bytes of keys and wanted
    cdef uint16_t all
    cdef bint within                # the texts are a part of the datagram
    cdef size_t offset              # where the offset of the texts lies
    cdef size_t length              # where their length lies


cdef class Stamped(Form):
    cdef uint16_t type
    cdef uint16_t time
    cdef uint16_t serial
    cdef uint16_t text
