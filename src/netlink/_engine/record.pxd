# The declarations of plan.h for Cython, and of the classes over it.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from posix.types cimport time_t

from netlink._wire cimport nl_attribute

cdef extern from "_engine/plan.h" nogil:
    const bint NL_HOST_BIG "(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)"

    enum:
        NL_K_INT
        NL_K_FLAG
        NL_K_STRING
        NL_K_BINARY
        NL_K_FIXED
        NL_K_ADDRESS
        NL_K_ADDRESS_BY
        NL_K_SOCKADDR
        NL_K_NESTED
        NL_K_CONTAINER
        NL_K_RARE
        NL_K_STRUCT
        NL_K_REPEATED
        NL_K_ARRAY
        NL_K_STRUCTS
        NL_K_SEQUENCE
        NL_K_CHAIN
        NL_K_PACKED
        NL_K_SUBMESSAGE
        NL_K_VIEW
        NL_K_REST
        NL_K_EVENT
        NL_K_KEY
        NL_K_ANNEX
        NL_K_SKIP
        NL_ADDRESS
        NL_WHOLE_ADDRESS
        NL_AF_INET
        NL_AF_INET6
        NL_BIG
        NL_SIGNED
        NL_KEYS_MAX
        NL_C_LATE
        NL_FAULT_WIDTH
        NL_FAULT_ATTRIBUTE
        NL_FAULT_FAMILY
        NL_FAULT_HEADER
        NL_FAULT_DEPTH
        NL_FAULT_MEMORY
        NL_DEPTH_MAX
        NL_PATH_MAX
        NL_FAULT_LIMIT

    struct nl_case:
        uint64_t number
        const char *text
        size_t text_size
        const nl_set *set

    struct nl_op:
        uint8_t code
        uint8_t kind
        uint8_t width
        uint8_t flags
        uint16_t type
        uint16_t bit
        uint32_t offset
        uint32_t size
        uint32_t at
        uint8_t family
        uint8_t depth
        const nl_set *set
        const nl_op *item
        const nl_op *sibling
        const nl_case *cases
        uint16_t case_count
        uint16_t by
        uint8_t outer
        uint8_t in_header

    struct nl_set:
        const nl_op **index
        uint16_t limit
        uint16_t op_count
        const nl_op *ops
        const nl_op *header
        const nl_op *rest
        const nl_op *annex
        uint32_t wire_size
        uint32_t record_size
        uint32_t presence
        uint8_t asks
        const nl_op *keys[4]
        uint8_t lenient
        uint8_t narrow

    struct nl_ref:
        uint32_t offset
        uint32_t size

    struct nl_socket_address:
        uint8_t address[17]
        uint16_t port
        uint32_t flow_info
        uint32_t scope_id

    struct nl_list:
        uint32_t first
        uint32_t last

    struct nl_sub:
        uint32_t raw
        uint32_t raw_size
        uint32_t record
        uint32_t which

    struct nl_unknown:
        uint32_t next
        uint32_t owner
        uint32_t size
        uint32_t type

    struct nl_area:
        uint8_t *data
        size_t size
        size_t capacity

    struct nl_fault:
        int kind
        uint32_t want
        uint32_t got
        size_t offset
        unsigned depth
        const nl_op *path[40]

    struct nl_frame:
        const nl_set *set
        const nl_place *place

    struct nl_decoder:
        const uint8_t *start
        nl_area *heap
        nl_area *datagrams
        nl_fault *fault
        int ahead
        unsigned depth
        const nl_frame *around

    struct nl_bytes:
        const uint8_t *heap
        const uint8_t *datagrams

    struct nl_place:
        uint8_t *fixed
        size_t offset
        size_t outer
        size_t unknown

    void nl_op_finish(nl_op *op) noexcept
    void nl_set_finish(nl_set *set) noexcept
    bint nl_is_list(uint8_t kind) noexcept
    bint nl_present(const nl_set *set, const uint8_t *record, uint16_t bit) noexcept
    const uint8_t *nl_address_bytes(const uint8_t *at, uint32_t size, const uint8_t *heap, unsigned *count) noexcept
    void nl_store_whole_address(uint8_t *to, const uint8_t *bytes, unsigned count) noexcept
    const uint8_t *nl_whole_address_bytes(const uint8_t *at, unsigned *count) noexcept
    uint32_t nl_heap_alloc(nl_area *heap, size_t n) noexcept
    uint32_t nl_heap_alloc_zeroed(nl_area *heap, size_t n) noexcept
    uint32_t nl_load32(const uint8_t *p) noexcept
    struct nl_pool:
        pass

    nl_pool *nl_area_pool
    size_t nl_pool_empty(nl_pool *pool) noexcept
    void nl_pool_tick(nl_pool *pool) noexcept
    void nl_area_free(nl_area *a) noexcept
    void nl_area_trim(nl_area *a) noexcept
    int nl_area_reserve(nl_area *a, size_t n) noexcept
    uint64_t nl_load_int(const uint8_t *p, unsigned width, unsigned flags) noexcept
    void nl_store_int(uint8_t *p, uint64_t value, unsigned width, unsigned flags) noexcept
    void nl_decode_struct(const nl_set *set, const uint8_t *payload, size_t size, uint8_t *record) noexcept
    int nl_decode_value(nl_decoder *d, const nl_set *set, const nl_op *op, const nl_attribute *a,
                        const nl_place *place) noexcept
    int nl_decode_submessage(nl_decoder *d, const nl_set *set, const nl_op *op, const uint8_t *payload, size_t size,
                             const nl_place *place) noexcept
    int nl_decode(const nl_set *set, const uint8_t *payload, size_t size, uint8_t *record, nl_area *heap,
                  nl_area *datagrams, nl_fault *fault) noexcept
    int nl_encode(const nl_set *set, const uint8_t *record, const nl_bytes *bytes, nl_area *out) noexcept
    size_t nl_struct_width(const nl_op *op) noexcept

cdef extern from "_engine/shape.h" nogil:
    struct nl_shapes:
        uint32_t count

    int nl_decode_shaped(nl_shapes *shapes, const nl_set *set, const uint8_t *payload, size_t size, uint8_t *record,
                         nl_area *heap, nl_area *datagrams, nl_fault *fault) noexcept
    void nl_shapes_free(nl_shapes *shapes) noexcept


cdef enum:
    # Bytes of a payload that is made without a record, of a text in it, and of what is before its attributes.
    ATTRIBUTES_MAX = 512
    TEXT_MAX = 224
    BEFORE_MAX = 64

# Such a payload while it is made. last: the op of its last attribute.
cdef struct Attributes:
    uint8_t bytes[ATTRIBUTES_MAX]
    uint8_t *header
    Py_ssize_t size
    const nl_op *last


cdef class Table:
    cdef nl_set set
    cdef nl_op *ops
    cdef const nl_op **index
    cdef nl_case *cases
    cdef list parts                 # owners of the memory that the C arrays point to
    cdef list names                 # of the fields, by op
    cdef dict fields                # of the class, by name
    cdef bint has_late              # whether one of them depends on others
    cdef list later                 # pairs of a position in ops and a Field whose classes are declared later
    cdef int complete               # whether all ops that it leads to have their sets; atomic

    cdef object name_of(self, const nl_op *op)
    cdef int complete_all(self) except -1
    cdef int complete_op(self, nl_op *op, Field field) except -1


cdef class Recycler:
    cdef nl_area records
    cdef nl_area heap
    cdef nl_area datagrams
    cdef bint full

    cdef Store new_store(self)
    cdef Store compact(self, Store store)


cdef class Store:
    cdef Recycler recycler          # receives the memory in the end, or None
    cdef nl_area records
    cdef nl_area heap
    cdef nl_area datagrams          # the bytes that views refer to
    cdef readonly Py_ssize_t count

    cdef int add(self, const nl_set *set, nl_shapes *shapes, const uint8_t *payload, size_t size,
                 nl_fault *fault) noexcept nogil
    cdef uint32_t heap_bytes(self, bytes data) except 0
    cdef uint8_t *last(self, const nl_set *set) noexcept nogil
    cdef void drop_last(self, const nl_set *set, size_t heap) noexcept nogil


cdef class Shapes:
    cdef Table table
    cdef nl_shapes shapes

    cdef Record decoded(self, object cls, Table table, const uint8_t *payload, size_t size)


cdef class Record:
    cdef Store store
    cdef Table table                    # of its memory; the class could be changed in Python
    cdef const uint8_t *base
    cdef const uint8_t *outer           # the outermost record around base
    cdef const uint8_t *unknown_list    # the head of the outermost record's list

    cdef Table checked_table(self)
    cdef tuple content(self)


cdef class Field:
    cdef readonly int kind
    cdef readonly object types
    cdef readonly int width
    cdef readonly int flags
    cdef readonly uint32_t size
    cdef readonly object enum
    cdef readonly bint required
    cdef object declared                # its class, or a function that returns it
    cdef object given                   # the same before it is called
    cdef Table inner                    # the table of its class
    cdef readonly object item
    cdef readonly int form
    cdef readonly object on
    cdef readonly tuple choices         # pairs of a key and a class, or a function that returns it
    cdef tuple given_cases              # the same before they are called
    cdef readonly bint forward          # whether there are or were functions
    cdef int resolved                   # whether they have been called; atomic
    cdef readonly str time
    cdef readonly int depth
    cdef readonly object owner
    cdef Table layout                   # the table of owner
    cdef readonly str name
    cdef readonly uint32_t offset
    cdef readonly uint16_t bit
    cdef readonly uint32_t presence
    cdef readonly Table annex           # the table of the annex that the field lies in, or None
    cdef readonly uint32_t reference    # offset of the reference to the annex
    cdef dict members
    cdef const nl_op *simple            # as of `simple_op`

    cdef int resolve(self) except -1
    cdef object called(self, object declared)
    cdef object load(self, Record record)
    cdef object load_value(self, Store store, const uint8_t *at)
    cdef int store_attributes(self, const nl_set *set, Store store, uint8_t *record, uint32_t annex,
                              object value) except -1
    cdef int store_wire(self, nl_decoder *decoder, const nl_set *set, const nl_op *op, const nl_place *place,
                        const uint8_t *data, size_t size, object value) except -1
    cdef int store_in(self, Table table, Store store, object value, Field header) except -1
    cdef int store_blank(self, uint8_t *record) except -1
    cdef uint32_t annex_of(self, Store store, uint8_t *record) except 0
    cdef object load_list(self, Store store, const uint8_t *at)
    cdef object number(self, uint64_t value)
    cdef bint is_bare_struct(self)
    cdef object event(self, const uint8_t *record)
    cdef int store_value(self, const nl_set *set, Store store, uint8_t *record, object value) except -1
    cdef const nl_op *op_in(self, const nl_set *set) noexcept
    cdef const nl_op *simple_op(self) except? NULL
    cdef object wire(self, object value)
    cdef bytes item_payload(self, object value)
    cdef bytes fixed(self, object value)
    cdef bytes bytes_of(self, object value)
    cdef bint is_late(self) noexcept
    cdef object items_of(self, object value)
    cdef bytes array_payload(self, object value)
    cdef bytes attributes_of(self, list items, int level)
    cdef bytes step_payload(self, object value)
    cdef bytes link_payload(self, object value)
    cdef bytes lladdr(self, object value)
    cdef bytes decoded(self, str value)
    cdef bytes text(self, object value)
    cdef bytes sockaddr(self, object value)
    cdef bytes packed(self, object value, unsigned width)
    cdef bytes part(self, object cls, object value)
    cdef uint64_t checked(self, object value, unsigned width) except? 0xdead


cdef class Batch:
    cdef object cls
    cdef Table table
    cdef Store store
    cdef Py_ssize_t first
    cdef Py_ssize_t step
    cdef Py_ssize_t length
    cdef bint interrupted_

    cdef const uint8_t *at(self, Py_ssize_t i) noexcept
    cdef object view(self, Py_ssize_t i)


cdef nl_pool *pool_of_stores() noexcept
cdef Table declared_table(object cls)
cdef Table table_of(object cls)
cdef object fault_error(object cls, Table table, const nl_fault *fault)
cdef Record decoded(object cls, Table table, nl_shapes *shapes, const uint8_t *payload, size_t size)
cdef Table declared_table(object cls)
cdef bytes encoded(object cls, Table table, Store store, const uint8_t *record, const uint8_t *before,
                   Py_ssize_t size)
cdef bint begin_attributes(Attributes *out, Table table, const uint8_t *before, Py_ssize_t size) noexcept
cdef Field field_named(object cls, Table table, object name)
cdef bint put_attribute(Attributes *out, Table table, Field field, object value) except -1
cdef bytes payload_of(object cls, Table table, dict values, const uint8_t *before, Py_ssize_t size)
cdef Batch make_batch(object cls, Store store)
cdef int copy_record(Store store, const nl_set *set, Store other, const uint8_t *record, const uint8_t *unknown_list,
                     size_t shift) except -1
