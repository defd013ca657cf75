# The declarations of _wire.h and byteswap.h for Cython.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "_wire.h" nogil:
    enum:
        NL_HEADER
        NL_ATTR_HEADER
        NL_ATTR_MAX
        NL_ATTR_TYPE
        NL_ATTR_NESTED
        NL_TYPE_ERROR
        NL_TYPE_DONE
        NL_F_REQUEST
        NL_F_MULTI
        NL_F_ACK
        NL_F_DUMP_INTR
        NL_F_DUMP
        NL_POLICY_TYPE
        NL_POLICY_MIN_S
        NL_POLICY_MAX_S
        NL_POLICY_MIN_U
        NL_POLICY_MAX_U
        NL_POLICY_MIN_LENGTH
        NL_POLICY_MAX_LENGTH
        NL_POLICY_BITFIELD32_MASK
        NL_POLICY_MASK
        NL_POLICY_LIMIT

    struct nl_header:
        uint32_t length
        uint16_t type
        uint16_t flags
        uint32_t sequence
        uint32_t pid

    struct nl_cursor:
        const uint8_t *at
        size_t left

    struct nl_message:
        nl_header header
        const uint8_t *payload
        size_t size

    struct nl_attribute:
        uint16_t type
        uint16_t length
        const uint8_t *payload
        size_t size

    enum nl_step:
        NL_BAD
        NL_END
        NL_ITEM

    enum nl_verdict_kind:
        NL_DATA
        NL_ACK
        NL_DONE
        NL_FAILED
        NL_TOO_SHORT

    struct nl_verdict:
        int64_t error
        uint32_t offset
        uint32_t missing
        uint32_t nest
        const uint8_t *text
        size_t text_size
        const uint8_t *policy
        size_t policy_size

    struct nl_policy:
        uint32_t has
        uint64_t values[13]

    enum nl_reply_kind:
        NL_REPLY_ANY
        NL_REPLY_DUMP
        NL_REPLY_ACKED
        NL_REPLY_PLAIN

    struct nl_reply:
        uint8_t kind
        uint8_t multi
        uint8_t begun
        uint8_t ended
        uint8_t queued_only
        uint8_t interrupted
        uint8_t done
        uint32_t sequence
        uint32_t pid

    enum nl_role:
        NL_ROLE_DATA
        NL_ROLE_ACK
        NL_ROLE_LAST
        NL_ROLE_NOTHING
        NL_ROLE_END
        NL_ROLE_FAILED
        NL_ROLE_CUT
        NL_ROLE_BEHIND
        NL_ROLE_FOREIGN

    size_t nl_align(size_t n) noexcept
    uint16_t nl_load16(const uint8_t *p) noexcept
    uint32_t nl_load32(const uint8_t *p) noexcept
    uint64_t nl_load64(const uint8_t *p) noexcept
    nl_step nl_next_message(nl_cursor *c, nl_message *m) noexcept
    nl_step nl_next_attribute(nl_cursor *c, nl_attribute *a) noexcept
    Py_ssize_t nl_count_attributes(const uint8_t *p, size_t n) noexcept
    bint nl_ends_reply(const nl_header *h) noexcept
    nl_verdict_kind nl_parse_verdict(const nl_header *h, const uint8_t *payload, size_t size, nl_verdict *v) noexcept
    bint nl_belongs(uint32_t sequence, uint32_t pid, const nl_header *h) noexcept
    nl_role nl_reply_message(nl_reply *r, const nl_header *h, const uint8_t *payload, size_t size,
                             nl_verdict *v) noexcept
    void nl_reply_datagram(nl_reply *r, bint empty) noexcept
    void nl_parse_policy(const uint8_t *p, size_t size, nl_policy *policy) noexcept

cdef extern from "<byteswap.h>" nogil:
    uint16_t bswap_16(uint16_t) noexcept
    uint32_t bswap_32(uint32_t) noexcept
    uint64_t bswap_64(uint64_t) noexcept

cdef extern from *:
    """
    #define NL_HOST_BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    """
    const bint NL_HOST_BIG
