/* The reader of the wire format of netlink: messages of a datagram, attributes of
 * a payload, verdicts of ERROR and DONE messages, and the end of a reply.
 *
 * Plain C without Python: the extension modules, the fuzzers and the sanitizer
 * builds all run the same code. Every length is checked before a pointer moves.
 * Loads may be unaligned. Nothing here allocates or recurses, and every loop
 * consumes input.
 */
#ifndef NETLINK_WIRE_H
#define NETLINK_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    NL_HEADER = 16,          /* sizeof(struct nlmsghdr), linux/netlink.h */
    NL_ATTR_HEADER = 4,      /* sizeof(struct nlattr) */
    NL_ATTR_MAX = 65531,     /* nla_len has 16 bits and counts the header */
    NL_ATTR_TYPE = 0x3fff,   /* NLA_TYPE_MASK */
    NL_ATTR_NESTED = 0x8000, /* NLA_F_NESTED */

    NL_TYPE_ERROR = 2, /* NLMSG_ERROR */
    NL_TYPE_DONE = 3,  /* NLMSG_DONE */
    NL_TYPE_MIN = 16,  /* NLMSG_MIN_TYPE: the lower ones are netlink's own */

    NL_F_REQUEST = 0x1,
    NL_F_MULTI = 0x2,
    NL_F_ACK = 0x4,
    NL_F_DUMP_INTR = 0x10, /* the dumped objects changed during the dump */
    NL_F_DUMP = 0x300,
    NL_F_CAPPED = 0x100,   /* on an ERROR: the request's payload is not echoed */
    NL_F_ACK_TLVS = 0x200, /* on an ERROR or DONE: attributes follow */

    NL_ATTR_ACK_MSG = 1,       /* NLMSGERR_ATTR_MSG */
    NL_ATTR_ACK_OFFSET = 2,    /* NLMSGERR_ATTR_OFFS */
    NL_ATTR_ACK_POLICY = 4,    /* NLMSGERR_ATTR_POLICY */
    NL_ATTR_ACK_MISS_TYPE = 5, /* NLMSGERR_ATTR_MISS_TYPE */
    NL_ATTR_ACK_MISS_NEST = 6, /* NLMSGERR_ATTR_MISS_NEST */
};

/* NL_POLICY_TYPE_ATTR_* of enum netlink_policy_type_attr, linux/netlink.h. */
enum {
    NL_POLICY_TYPE = 1,
    NL_POLICY_MIN_S = 2,
    NL_POLICY_MAX_S = 3,
    NL_POLICY_MIN_U = 4,
    NL_POLICY_MAX_U = 5,
    NL_POLICY_MIN_LENGTH = 6,
    NL_POLICY_MAX_LENGTH = 7,
    NL_POLICY_BITFIELD32_MASK = 10,
    NL_POLICY_MASK = 12,
    NL_POLICY_LIMIT = 13,
};

/* struct nlmsghdr, in host byte order as on the wire. */
struct nl_header {
    uint32_t length;
    uint16_t type;
    uint16_t flags;
    uint32_t sequence;
    uint32_t pid;
};

struct nl_cursor {
    const uint8_t *at;
    size_t left;
};

struct nl_message {
    struct nl_header header;
    const uint8_t *payload;
    size_t size; /* header.length - 16: without padding */
};

struct nl_attribute {
    uint16_t type; /* raw, with the two flag bits */
    uint16_t length;
    const uint8_t *payload;
    size_t size;
};

/* The result of a step of a cursor. */
enum nl_step { NL_BAD = -1, NL_END = 0, NL_ITEM = 1 };

static inline size_t nl_align(size_t n)
{
    return (n + 3) & ~(size_t)3; /* NLMSG_ALIGN, NLA_ALIGN */
}

static inline uint16_t nl_load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t nl_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t nl_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void nl_advance(struct nl_cursor *c, size_t n)
{
    if (n > c->left)
        n = c->left; /* the last item may lack its padding */
    c->at += n;
    c->left -= n;
}

/* The next message of a datagram. NL_END if fewer than 16 bytes are left. NL_BAD
 * (cursor unmoved) if the length field is under 16 or past the end. */
static inline enum nl_step nl_next_message(struct nl_cursor *c, struct nl_message *m)
{
    if (c->left < NL_HEADER)
        return NL_END;
    memcpy(&m->header, c->at, NL_HEADER);
    if (m->header.length < NL_HEADER || m->header.length > c->left)
        return NL_BAD;
    m->payload = c->at + NL_HEADER;
    m->size = m->header.length - NL_HEADER;
    nl_advance(c, nl_align(m->header.length));
    return NL_ITEM;
}

/* The next attribute; those of length zero are skipped. NL_BAD (cursor at the attribute)
 * if 1 to 3 bytes are left, or its length is 1 to 3 or past the end. */
static inline enum nl_step nl_next_attribute(struct nl_cursor *c, struct nl_attribute *a)
{
    while (c->left >= NL_ATTR_HEADER) {
        a->length = nl_load16(c->at);
        a->type = nl_load16(c->at + 2);
        a->size = a->length - (size_t)NL_ATTR_HEADER; /* huge if the length is under 4 */
        if (__builtin_expect(a->size > c->left - NL_ATTR_HEADER, 0)) {
            if (a->length != 0)
                return NL_BAD;
            c->at += NL_ATTR_HEADER;
            c->left -= NL_ATTR_HEADER;
            continue;
        }
        a->payload = c->at + NL_ATTR_HEADER;
        nl_advance(c, nl_align(a->length));
        return NL_ITEM;
    }
    return c->left ? NL_BAD : NL_END;
}

/* The number of attributes with a length other than zero; -1 if the header of the last
 * one is cut off. Wrong lengths are left to nl_next_attribute. */
static inline ptrdiff_t nl_count_attributes(const uint8_t *p, size_t n)
{
    struct nl_cursor c = {p, n};
    ptrdiff_t count = 0;
    while (c.left) {
        if (c.left < NL_ATTR_HEADER)
            return -1;
        size_t length = nl_load16(c.at);
        count += length != 0;
        nl_advance(&c, nl_align(length < NL_ATTR_HEADER ? NL_ATTR_HEADER : length));
    }
    return count;
}

/* The verdict of a message on its request. */
enum nl_verdict_kind {
    NL_DATA,     /* none: an ordinary message */
    NL_ACK,      /* ERROR with errno 0 */
    NL_DONE,     /* the end of a multi-part reply */
    NL_FAILED,   /* ERROR or DONE|MULTI with an errno */
    NL_TOO_SHORT /* ERROR or DONE|MULTI whose errno is cut off */
};

struct nl_verdict {
    int64_t error;       /* positive errno; 64 bits for -INT32_MIN */
    uint32_t offset;     /* NLMSGERR_ATTR_OFFS, or 0 */
    uint32_t missing;    /* NLMSGERR_ATTR_MISS_TYPE, or 0: the kernel reports no type 0 */
    uint32_t nest;       /* NLMSGERR_ATTR_MISS_NEST, or 0 */
    const uint8_t *text; /* NLMSGERR_ATTR_MSG without its NUL, or NULL */
    size_t text_size;
    const uint8_t *policy; /* the attributes of NLMSGERR_ATTR_POLICY, or NULL */
    size_t policy_size;
};

/* The policy of the kernel for an attribute: values by attribute type, signed ones as two's complement. */
struct nl_policy {
    uint32_t has; /* a bit for each present value */
    uint64_t values[NL_POLICY_LIMIT];
};

/* Whether a message ends a reply. DONE without MULTI is data: nfnetlink_log ends its
 * datagrams with one that has an nfgenmsg, whose bytes would read as an errno. */
static inline int nl_ends_reply(const struct nl_header *h)
{
    return h->type == NL_TYPE_ERROR || (h->type == NL_TYPE_DONE && (h->flags & NL_F_MULTI));
}

/* Parses struct nlmsgerr of linux/netlink.h, or the int of a DONE, and the attributes
 * behind it (Documentation/userspace-api/netlink/intro.rst, "Ext ACK"). The parser
 * stops at a malformed attribute; the errno is never lost. Out of line, because every
 * message of a dump is asked whether it is a verdict. */
__attribute__((unused, noinline)) static enum nl_verdict_kind
nl_parse_end(const struct nl_header *h, const uint8_t *payload, size_t size, struct nl_verdict *v)
{
    memset(v, 0, sizeof *v);
    int is_error = h->type == NL_TYPE_ERROR;
    if (!is_error && size == 0)
        return NL_DONE;
    if (size < 4)
        return NL_TOO_SHORT;
    int32_t code;
    memcpy(&code, payload, sizeof code);
    if (is_error) {
        if (code == 0)
            return NL_ACK;
        v->error = code < 0 ? -(int64_t)code : code;
    } else {
        if (code >= 0)
            return NL_DONE;
        v->error = -(int64_t)code;
    }
    if (!(h->flags & NL_F_ACK_TLVS))
        return NL_FAILED;
    size_t skip = 4;
    if (is_error) {
        if (size < 4 + NL_HEADER)
            return NL_FAILED;
        size_t echoed = h->flags & NL_F_CAPPED ? NL_HEADER : nl_load32(payload + 4);
        if (echoed < NL_HEADER || echoed > size - 4)
            return NL_FAILED;
        skip += nl_align(echoed);
        if (skip > size)
            return NL_FAILED;
    }
    struct nl_cursor c = {payload + skip, size - skip};
    struct nl_attribute a;
    while (nl_next_attribute(&c, &a) == NL_ITEM) {
        switch (a.type & NL_ATTR_TYPE) {
        case NL_ATTR_ACK_MSG:
            v->text = a.payload;
            v->text_size = strnlen((const char *)a.payload, a.size);
            break;
        case NL_ATTR_ACK_OFFSET:
            if (a.size == 4)
                v->offset = nl_load32(a.payload);
            break;
        case NL_ATTR_ACK_POLICY:
            v->policy = a.payload;
            v->policy_size = a.size;
            break;
        case NL_ATTR_ACK_MISS_TYPE:
            if (a.size == 4)
                v->missing = nl_load32(a.payload);
            break;
        case NL_ATTR_ACK_MISS_NEST:
            if (a.size == 4)
                v->nest = nl_load32(a.payload);
            break;
        default:
            break;
        }
    }
    return NL_FAILED;
}

/* The same of any message. If it is data v is not written. */
static inline enum nl_verdict_kind nl_parse_verdict(const struct nl_header *h, const uint8_t *payload, size_t size,
                                                    struct nl_verdict *v)
{
    return nl_ends_reply(h) ? nl_parse_end(h, payload, size, v) : NL_DATA;
}

/* The kind of a reply, by the flags of its request. It decides the end of the reply. */
enum nl_reply_kind {
    NL_REPLY_ANY,   /* unknown request: the messages themselves decide */
    NL_REPLY_DUMP,  /* NLM_F_DUMP: ends with DONE */
    NL_REPLY_ACKED, /* NLM_F_ACK: ends with the acknowledgement */
    NL_REPLY_PLAIN  /* neither: ends with the first datagram; if that is multi-part, with the last one queued */
};

/* The state of a reply while it is received. At its beginning all but kind, sequence and pid are 0. */
struct nl_reply {
    uint8_t kind;
    uint8_t multi;       /* it is multi-part */
    uint8_t begun;       /* an earlier datagram had messages of it: an acknowledgement is only its end */
    uint8_t ended;       /* DONE has ended it; an acknowledgement may be queued behind */
    uint8_t queued_only; /* the rest, if any, is already queued */
    uint8_t interrupted; /* a message had NLM_F_DUMP_INTR */
    uint8_t done;        /* the reply is complete */
    uint8_t multi_here;  /* this datagram is multi-part */
    uint32_t here;       /* 1 if this datagram has messages of the reply */
    uint32_t sequence;   /* of the request, 0: any; for an unknown request, of the last message */
    uint32_t pid;        /* 0: any */
};

/* The role of a message in a reply. */
enum nl_role {
    NL_ROLE_DATA,    /* one of its messages */
    NL_ROLE_ACK,     /* an acknowledgement that is one of its messages */
    NL_ROLE_LAST,    /* the same, and the end */
    NL_ROLE_NOTHING, /* ignored; not the end */
    NL_ROLE_END,     /* the end, and not one of its messages */
    NL_ROLE_FAILED,  /* the end, with an errno */
    NL_ROLE_CUT,     /* the end, with an errno that is cut off */
    NL_ROLE_BEHIND,  /* a message of another reply: this one ended before it */
    NL_ROLE_FOREIGN  /* a message of another request: an error */
};

static inline int nl_belongs(uint32_t sequence, uint32_t pid, const struct nl_header *h)
{
    return (sequence == 0 || h->sequence == sequence) && (pid == 0 || h->pid == 0 || h->pid == pid);
}

/* Takes the next message of a datagram: its role, and in v its verdict. Not to be called if the reply is done. */
static inline enum nl_role nl_reply_message(struct nl_reply *r, const struct nl_header *h, const uint8_t *payload,
                                            size_t size, struct nl_verdict *v)
{
    /* Nearly all messages of a dump: one more of a datagram that is known to be multi-part. */
    if (r->here && r->multi_here && h->flags == NL_F_MULTI && h->type >= NL_TYPE_MIN && h->sequence == r->sequence &&
        h->pid == r->pid)
        return NL_ROLE_DATA;
    if (r->kind == NL_REPLY_ANY) {
        r->sequence = h->sequence;
    } else if (!nl_belongs(r->sequence, r->pid, h)) {
        if (!r->queued_only || h->sequence == r->sequence)
            return NL_ROLE_FOREIGN;
        r->done = 1;
        return NL_ROLE_BEHIND;
    }
    if (h->flags & NL_F_DUMP_INTR)
        r->interrupted = 1;
    if (h->flags & NL_F_MULTI)
        r->multi_here = 1;
    switch (nl_parse_verdict(h, payload, size, v)) {
    case NL_DATA:
        r->here = 1;
        return NL_ROLE_DATA;
    case NL_ACK:
        if (r->kind == NL_REPLY_ANY) {
            r->here = 1;
            if (!r->multi && !r->multi_here)
                return NL_ROLE_ACK; /* several acknowledgements in one datagram are one reply */
            r->done = 1;
            return NL_ROLE_LAST;
        }
        r->done = 1;
        return r->begun || r->here ? NL_ROLE_END : NL_ROLE_LAST;
    case NL_DONE:
        if (r->kind == NL_REPLY_ACKED) {
            r->ended = r->queued_only = r->begun = 1;
            return NL_ROLE_NOTHING;
        }
        r->done = 1;
        return NL_ROLE_END;
    case NL_FAILED:
        r->done = 1;
        return NL_ROLE_FAILED;
    default:
        r->done = 1;
        return NL_ROLE_CUT;
    }
}

/* Ends a datagram. empty: it had no messages, as a test double ends a reply. */
static inline void nl_reply_datagram(struct nl_reply *r, int empty)
{
    int here = r->here, multi = r->multi_here;
    r->here = 0;
    r->multi_here = 0;
    if (multi)
        r->multi = 1;
    if (r->done)
        return;
    if (r->kind == NL_REPLY_ANY) {
        r->done = !multi;
    } else if (empty) {
        r->done = 1;
    } else if (here) {
        r->begun = 1;
        /* The next part of a dump, if any, is always queued. Some families forget MULTI. */
        if (r->kind == NL_REPLY_DUMP)
            r->queued_only = !multi;
        else if (r->kind == NL_REPLY_PLAIN) {
            r->queued_only = multi;
            r->done = !multi;
        }
    }
}

/* Parses the attributes of a verdict's policy. Values of a wrong width are ignored. */
static inline void nl_parse_policy(const uint8_t *p, size_t size, struct nl_policy *policy)
{
    static const uint8_t widths[NL_POLICY_LIMIT] = {
        [NL_POLICY_TYPE] = 4,       [NL_POLICY_MIN_S] = 8,           [NL_POLICY_MAX_S] = 8,
        [NL_POLICY_MIN_U] = 8,      [NL_POLICY_MAX_U] = 8,           [NL_POLICY_MIN_LENGTH] = 4,
        [NL_POLICY_MAX_LENGTH] = 4, [NL_POLICY_BITFIELD32_MASK] = 4, [NL_POLICY_MASK] = 8,
    };
    struct nl_cursor c = {p, size};
    struct nl_attribute a;
    memset(policy, 0, sizeof *policy);
    while (nl_next_attribute(&c, &a) == NL_ITEM) {
        unsigned type = a.type & NL_ATTR_TYPE;
        if (type >= NL_POLICY_LIMIT || !widths[type] || a.size != widths[type])
            continue;
        policy->values[type] = a.size == 8 ? nl_load64(a.payload) : nl_load32(a.payload);
        policy->has |= 1u << type;
    }
}

#endif
