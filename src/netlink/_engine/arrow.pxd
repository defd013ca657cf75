# The declarations of arrow.h for Cython.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cimport cython
from netlink._engine.record cimport nl_bytes, nl_set

cdef extern from "_engine/packet.h" nogil:
    enum:
        NL_PART_COUNT
        NL_ADDRESS_PART

    struct nl_header_part:
        const char *name
        uint32_t offset
        uint32_t size

    struct nl_headers:
        uint8_t present[1]

    const nl_header_part *nl_parts

    bint nl_has_part(const nl_headers *h, unsigned part) noexcept

cdef extern from "_engine/arrow.h" nogil:
    enum:
        NL_COL_STRUCT
        NL_COL_FIXED
        NL_COL_TERM
        NL_COL_TRUE
        NL_COL_MAPPED
        NL_COL_ADDRESS
        NL_COL_MAC
        NL_COL_LLADDR
        NL_COL_TEXT
        NL_COL_BINARY
        NL_COL_VIEW
        NL_COL_RAW
        NL_COL_LIST
        NL_COL_TEXTS
        NL_COL_PACKED
        NL_COL_PART
        NL_COL_RECORD

    const uint32_t NL_HOP_RARE
    uint64_t nl_term_secret

    struct ArrowSchema:
        void (*release)(ArrowSchema *) noexcept

    struct ArrowArray:
        void (*release)(ArrowArray *) noexcept

    struct ArrowArrayStream:
        void (*release)(ArrowArrayStream *) noexcept

    struct nl_hop:
        uint32_t offset
        uint32_t which

    struct nl_column:
        const char *name
        const char *format
        uint8_t kind
        uint8_t mask
        uint8_t flags
        uint32_t presence
        uint32_t offset
        uint32_t width
        uint32_t hop_count
        uint32_t child_count
        uint32_t term_count
        const nl_hop *hops
        const nl_column **children
        const uint64_t *term_values
        const char **term_names
        const nl_set *set
        const nl_source *source

    struct nl_source:
        const nl_column *payload
        const nl_column *family
        const nl_column *protocol
        const nl_column *hook
        const nl_column *link
        bint framed

    struct nl_builder:
        pass

    struct nl_rows:
        const uint8_t *first
        ptrdiff_t stride
        size_t count
        nl_bytes bytes

    void nl_parse_row(const nl_source *source, const uint8_t *row, const nl_bytes *bytes, nl_headers *h) noexcept
    int nl_schema_export(const nl_column *column, ArrowSchema *out) noexcept
    int nl_builder_init(nl_builder *b, const nl_column *column) noexcept
    void nl_builder_free(nl_builder *b) noexcept
    void nl_builder_reset(nl_builder *b, size_t expected) noexcept
    int nl_gather_rows(nl_builder *b, const nl_rows *source, size_t at, size_t n) noexcept
    int nl_export_gathered(nl_builder *b, ArrowArray *out) noexcept
    struct nl_member:
        const nl_column *column
        size_t offset

    void nl_spread(const nl_member *members, size_t count, const nl_source *packet, const nl_rows *source, uint8_t *to,
                   size_t stride) noexcept
    int nl_array_stream_init(ArrowArrayStream *s, const nl_column *column, const nl_rows *source,
                             void (*drop)(void *) noexcept, void *owner) noexcept


@cython.final
cdef class Node:
    """One nl_column and the memory that it points to."""

    cdef nl_column c
    cdef list parts
    cdef str name
    cdef tuple path     # names of the fields that lead to it
    cdef tuple steps    # the steps from a record to its value: see value_of

    cdef const char *add_text(self, str text) except NULL
    cdef bint is_own(self)
    cdef int set_children(self, list children) except -1


cdef Node new_column(str name, str format, int kind, uint32_t offset=*, uint32_t width=*)
cdef str integer_format(Py_ssize_t width, int flags)
cdef list of_class(object cls, tuple path, tuple steps, uint32_t base, tuple hops, bint binary)
