/* Fuzz target: keys of nftables' sets as text, intervals, and lists of items in requests.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes its inputs, and runs the files that it is
 * given. Built with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * Beyond not crashing it must hold: an address is what inet_pton says, the first key of an interval is not behind its
 * last, merged intervals cover the same keys as before and lie apart where their values are the same, and payloads
 * have all items in their order, none longer than a list may be. */
#include "../../src/netlink/netfilter/nftables/_elements.h"
#include "target.h"

enum { SPANS = 24, BYTES = 3 };

static long intervals;

static void texts(const uint8_t *data, size_t size)
{
    char text[96];
    size = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, size);
    text[size] = 0;
    for (unsigned width = 4; width <= 16; width += 12) {
        uint8_t first[16] = {0}, last[16] = {0}, wanted[16] = {0};
        /* Addresses end at a NUL for inet_pton alone. */
        int is_address = !memchr(text, 0, size) && inet_pton(width == 4 ? AF_INET : AF_INET6, text, wanted) == 1;
        char *exact = malloc(size ? size : 1); /* whatever is behind it may not be read */
        CHECK(exact);
        memcpy(exact, text, size);
        CHECK(nl_text_address(exact, size, width, first) == is_address);
        CHECK(!is_address || memcmp(first, wanted, width) == 0);
        if (nl_text_span(exact, size, width, first, last)) {
            intervals++;
            CHECK(memcmp(first, last, width) <= 0);
            CHECK(!is_address || (memcmp(first, wanted, width) == 0 && memcmp(last, wanted, width) == 0));
        } else
            CHECK(!is_address);
        free(exact);
    }
}

/* The value of a key, from all intervals with it; -1 if they have different ones. */
static int value_of(const uint8_t *rows, size_t count, size_t stride, unsigned key)
{
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = rows + i * stride;
        if (row[0] <= key && key <= row[1]) {
            if (found && found != row[2] + 1)
                return -1;
            found = row[2] + 1;
        }
    }
    return found;
}

/* Keys of one byte: all of them can be looked at. */
static void merges(struct input *in)
{
    uint8_t rows[SPANS * BYTES], before[SPANS * BYTES];
    struct nl_spans spans = {rows, byte(in) % (SPANS + 1), BYTES, 1, 1};
    int clash = 0;
    for (size_t i = 0; i < spans.count; i++) {
        uint8_t a = byte(in), b = byte(in);
        rows[i * BYTES] = a < b ? a : b;
        rows[i * BYTES + 1] = a < b ? b : a;
        rows[i * BYTES + 2] = byte(in) % 4 == 0;
    }
    size_t count = spans.count;
    memcpy(before, rows, count * BYTES);
    for (unsigned key = 0; key < 256; key++)
        clash |= value_of(before, count, BYTES, key) < 0;
    size_t wrong = nl_spans_merge(&spans);
    CHECK((wrong != 0) == clash);
    if (wrong) {
        CHECK(wrong < count && rows[wrong * BYTES] <= rows[(wrong - 1) * BYTES + 1]);
        CHECK(rows[wrong * BYTES + 2] != rows[(wrong - 1) * BYTES + 2]);
        return;
    }
    CHECK(spans.count <= count);
    for (unsigned key = 0; key < 256; key++)
        CHECK(value_of(rows, spans.count, BYTES, key) == value_of(before, count, BYTES, key));
    for (size_t i = 1; i < spans.count; i++) {
        const uint8_t *row = rows + i * BYTES, *last = row - BYTES + 1;
        CHECK(*row > *last + (row[2] == last[1]));
    }
}

static void payloads(struct input *in)
{
    uint8_t head[64] = {0};
    struct nl_payloads p = {.head = head, .head_size = byte(in) % sizeof head, .list = 3, .item = 1};
    size_t sizes[32], count = byte(in) % 32, seen = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        sizes[i] = (size_t)(byte(in) | byte(in) << 8) & 0xfffc;
        if (sizes[i] > 65524)
            sizes[i] = 65524;
        uint8_t *to = nl_payload_item(&p, sizes[i]);
        CHECK(to);
        memset(to, (int)i, sizes[i]);
    }
    for (size_t n = 0; n <= p.ends.size / sizeof at && p.out.size; n++) {
        size_t end = p.out.size;
        uint16_t list, item;
        if (n < p.ends.size / sizeof at)
            memcpy(&end, p.ends.data + n * sizeof end, sizeof end);
        at += nl_align(p.head_size);
        memcpy(&list, p.out.data + at, 2);
        CHECK(at + list == end);
        for (at += 4; at < end; at += item) {
            memcpy(&item, p.out.data + at, 2);
            CHECK(seen < count && item == sizes[seen] + 4);
            for (size_t i = 4; i < item; i++)
                CHECK(p.out.data[at + i] == seen);
            seen++;
        }
        CHECK(at == end);
    }
    CHECK(seen == count && at == p.out.size);
    nl_area_free(&p.out);
    nl_area_free(&p.ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    switch (byte(&in) % 4) {
    case 0:
        payloads(&in);
        break;
    case 1:
        merges(&in);
        break;
    default:
        texts(in.at, in.left);
    }
    return 0;
}

#ifdef STANDALONE
int main(int argc, char **argv)
{
    return run_program(argc, argv, &intervals);
}
#endif
