/* Fuzz target: all plain C that reads bytes from a socket, on one input.
 *
 * With libFuzzer (tests/fuzz/run), or with -DSTANDALONE as a program that mutates the corpus files it is given a fixed
 * number of times, for compilers without libFuzzer. Built with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * Beyond not crashing it must hold: cursors only move forward and stay inside, payloads lie inside, the count of
 * attributes is an upper bound of those found, a verdict's text and policy lie inside its message, and a reply of any
 * kind ends once.
 */
#include "../../src/netlink/_sock.c"
#include "target.h"

static volatile uint8_t sink;

/* Lets the sanitizer see every byte as read. */
static void touch(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sink ^= p[i];
}

static void attributes(const uint8_t *p, size_t n, int depth)
{
    ptrdiff_t count = nl_count_attributes(p, n), found = 0;
    struct nl_cursor c = {p, n};
    struct nl_attribute a;
    enum nl_step step;
    const uint8_t *before = c.at;
    while ((step = nl_next_attribute(&c, &a)) == NL_ITEM) {
        CHECK(c.at > before && c.at + c.left == p + n);
        CHECK(a.payload >= p && a.size <= n && a.payload + a.size <= p + n);
        CHECK(a.length == a.size + NL_ATTR_HEADER);
        touch(a.payload, a.size);
        if (depth < 8)
            attributes(a.payload, a.size, depth + 1);
        before = c.at;
        found++;
    }
    CHECK(step == NL_END || step == NL_BAD);
    if (count >= 0)
        CHECK(step == NL_END ? found == count : found < count);
    else
        CHECK(step == NL_BAD);
}

/* The messages of an input as replies of every kind, in datagrams that end behind a message whose length says so: an
 * end is reported once and is final, and nothing of another request is part of a reply. */
static void replies(const uint8_t *p, size_t n, uint32_t sequence, uint32_t pid)
{
    for (unsigned kind = NL_REPLY_ANY; kind <= NL_REPLY_PLAIN; kind++) {
        struct nl_reply r = {.kind = (uint8_t)kind, .sequence = sequence, .pid = pid};
        struct nl_cursor c = {p, n};
        struct nl_message m;
        struct nl_verdict v;
        int interrupted = 0, messages = 0;
        while (!r.done) {
            if (nl_next_message(&c, &m) != NL_ITEM) {
                nl_reply_datagram(&r, messages == 0);
                CHECK(messages || r.done); /* an empty datagram ends every reply */
                break;
            }
            messages++;
            struct nl_reply before = r;
            int ours = kind == NL_REPLY_ANY || nl_belongs(sequence, pid, &m.header);
            enum nl_role role = nl_reply_message(&r, &m.header, m.payload, m.size, &v);
            switch (role) {
            case NL_ROLE_DATA:
                CHECK(ours && !r.done && !nl_ends_reply(&m.header) && r.here == 1);
                break;
            case NL_ROLE_ACK:
                CHECK(kind == NL_REPLY_ANY && !r.done && m.header.type == NL_TYPE_ERROR);
                break;
            case NL_ROLE_NOTHING:
                CHECK(kind == NL_REPLY_ACKED && ours && !r.done && r.ended && r.queued_only);
                break;
            case NL_ROLE_LAST:
            case NL_ROLE_END:
            case NL_ROLE_CUT:
                CHECK(ours && r.done && nl_ends_reply(&m.header));
                break;
            case NL_ROLE_FAILED:
                CHECK(ours && r.done && v.error > 0);
                break;
            case NL_ROLE_BEHIND:
                CHECK(!ours && r.done && before.queued_only);
                break;
            case NL_ROLE_FOREIGN:
                CHECK(!ours && memcmp(&r, &before, sizeof r) == 0);
                break;
            default:
                CHECK(0);
            }
            interrupted |= ours && m.header.flags & NL_F_DUMP_INTR;
            CHECK(r.interrupted == (interrupted != 0));
            if (m.header.length & 4) {
                nl_reply_datagram(&r, 0);
                CHECK(r.here == 0 && !r.multi_here);
                messages = 0;
            }
        }
        if (r.done) {
            struct nl_reply before = r;
            nl_reply_datagram(&r, 1);
            CHECK(r.done && r.ended == before.ended && r.interrupted == before.interrupted);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A heap copy of just this size, so that reading one byte too many is seen. */
    uint8_t *p = malloc(size ? size : 1);
    memcpy(p, data, size);
    struct nl_cursor c = {p, size};
    struct nl_message m;
    struct nl_verdict v;
    struct nl_policy policy;
    const uint8_t *before = p;
    int ends = 0;
    while (nl_next_message(&c, &m) == NL_ITEM) {
        CHECK(c.at > before && c.at + c.left == p + size);
        CHECK(m.payload >= p && m.payload + m.size <= p + size);
        touch(m.payload, m.size);
        memset(&v, 0, sizeof v); /* which data leaves alone */
        enum nl_verdict_kind kind = nl_parse_verdict(&m.header, m.payload, m.size, &v);
        CHECK((kind == NL_DATA) == !nl_ends_reply(&m.header));
        CHECK(kind != NL_FAILED || v.error > 0);
        if (v.text) {
            CHECK(v.text >= m.payload && v.text + v.text_size <= m.payload + m.size);
            touch(v.text, v.text_size);
        }
        if (v.policy) {
            CHECK(kind == NL_FAILED);
            CHECK(v.policy >= m.payload && v.policy + v.policy_size <= m.payload + m.size);
            nl_parse_policy(v.policy, v.policy_size, &policy);
            CHECK(policy.has >> NL_POLICY_LIMIT == 0);
            for (unsigned i = 0; i < NL_POLICY_LIMIT; i++)
                CHECK(policy.has >> i & 1 || policy.values[i] == 0);
        }
        CHECK(kind == NL_FAILED || !(v.missing || v.nest || v.offset || v.text));
        ends |= kind != NL_DATA;
        attributes(m.payload, m.size, 0);
        if (m.size >= 4)
            attributes(m.payload + 4, m.size - 4, 0);
        before = c.at;
    }
    CHECK(ends == ends_dump(p, size));
    replies(p, size, 0, 0);
    if (size >= NL_HEADER)
        replies(p, size, nl_load32(p + 8), nl_load32(p + 12));
    sink ^= (uint8_t)asks_for_dump(p, size);
    attributes(p, size, 0);
    free(p);
    return 0;
}

#ifdef STANDALONE
int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MUTATIONS FILE...\n", argv[0]);
        return 2;
    }
    static uint8_t original[1 << 16], mutated[1 << 16];
    static const uint8_t edges[] = {0, 1, 2, 3, 4, 15, 16, 17, 0x7f, 0x80, 0xff};
    long rounds = atol(argv[1]), runs = 0;
    for (int file = 2; file < argc; file++) {
        size_t size = read_input(argv[file], original, sizeof original);
        LLVMFuzzerTestOneInput(original, size);
        for (long i = 0; i < rounds / (argc - 2); i++, runs++) {
            memcpy(mutated, original, size);
            size_t length = size && next() % 4 == 0 ? next() % (size + 1) : size;
            for (uint64_t n = next() % 8; length && n; n--)
                mutated[next() % length] = next() % 2 ? edges[next() % sizeof edges] : (uint8_t)next();
            LLVMFuzzerTestOneInput(mutated, length);
        }
    }
    printf("%ld\n", runs);
    return 0;
}
#endif
