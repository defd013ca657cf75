/* Fuzz target: datagrams without attributes, written as attributes.
 *
 * With libFuzzer as fuzz_wire.c, or with -DSTANDALONE as a program that makes its inputs, and runs the files that it is
 * given. Built with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * Beyond not crashing it must hold: what is written is whole attributes, of the types that the form has; a stamp is
 * what a plain reader makes of it; texts are those between the NULs. */
#include "../../src/netlink/_engine/form.h"
#include "target.h"

enum { LAYOUT = 1, KEY = 16, ALL = 17 };

static long stamps;

/* The number of attributes, each of a type from first to last. */
static size_t count_of(const struct nl_area *out, uint16_t first, uint16_t last)
{
    struct nl_cursor cursor = {out->data, out->size};
    struct nl_attribute a;
    enum nl_step step;
    size_t count = 0;
    while ((step = nl_next_attribute(&cursor, &a)) == NL_ITEM) {
        CHECK(a.type >= first && a.type <= last);
        count++;
    }
    CHECK(step == NL_END);
    return count;
}

static void layouts(struct input *in)
{
    struct nl_member members[4];
    struct nl_layout layout = {0, 0, members, 4};
    struct nl_area out = {0};
    for (size_t i = 0; i < layout.count; i++) {
        uint8_t kind = byte(in);
        members[i].at = kind & 64 ? UINT32_MAX : byte(in) % 64;
        members[i].width = kind & 3 ? 1u << (kind & 3) : 0;
        members[i].length = kind & 128 ? UINT32_MAX : kind & 4 ? byte(in) % 64 : 0;
        members[i].type = (uint16_t)(LAYOUT + i);
    }
    uint8_t *data = malloc(in->left ? in->left : 1); /* whatever is behind it may not be read */
    CHECK(data);
    memcpy(data, in->at, in->left);
    CHECK(nl_form_layout(&layout, data, in->left, &out) == 0);
    CHECK(count_of(&out, LAYOUT, LAYOUT + 3) <= layout.count);
    free(data);
    nl_area_free(&out);
}

static void texts(const uint8_t *data, size_t size)
{
    static const struct nl_text_key keys[] = {{"A", 1, KEY, 0}, {"NR", 2, KEY, 8}, {"SMALL", 5, KEY, 1}};
    struct nl_area out = {0};
    size_t all = 0, begin = 0;
    int wanted = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && data[i])
            continue;
        const uint8_t *equals = i > begin ? memchr(data + begin, '=', i - begin) : NULL;
        all += equals && equals > data + begin;
        wanted |= i - begin == 1 && i <= size && begin < size && data[begin] == 'A';
        begin = i + 1;
    }
    CHECK(nl_form_texts(keys, 3, ALL, data, size, &out) == 0);
    size_t count = count_of(&out, KEY, ALL);
    CHECK(count >= all && count <= 2 * all);
    CHECK(nl_form_has(keys, 1, data, size) == wanted);
    nl_area_free(&out);
}

/* Digits of a number, from 1 to limit of them; 0 for another byte, or for more than 64 bits. */
static size_t digits(const char *text, size_t limit, uint64_t *number)
{
    size_t n = strspn(text, "0123456789");
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return n && n <= limit && errno == 0 && end == text + n ? n : 0;
}

static size_t stamp_of(const char *text, uint64_t *ms, uint64_t *serial)
{
    const char *at = text;
    uint64_t seconds, part;
    size_t n;
    if (strncmp(at, "audit(", 6) != 0 || !(n = digits(at += 6, SIZE_MAX, &seconds)) || at[n] != '.')
        return 0;
    at += n + 1;
    if ((n = digits(at, 3, &part)) != 3 || at[n] != ':' || seconds > (UINT64_MAX - part) / 1000)
        return 0;
    at += n + 1;
    if (!(n = digits(at, SIZE_MAX, serial)) || at[n] != ')')
        return 0;
    *ms = seconds * 1000 + part;
    at += n + 1;
    at += *at == ':';
    at += *at == ' ';
    return (size_t)(at - text);
}

/* guided: the input follows what a stamp begins with, and its bytes are mostly those of stamps. */
static void stamp(struct input *in, int guided)
{
    static const char letters[] = "0123456789.:) 99";
    char text[80], *exact;
    size_t size = 0;
    uint64_t ms = 0, serial = 0, wanted_ms = 0, wanted_serial = 0;
    if (guided) {
        memcpy(text, "audit(", 6);
        size = 6;
    }
    if (guided && byte(in) & 1) {
        memcpy(text + size, "12.345:", 7);
        size += 7;
    }
    while (in->left && size < sizeof text - 1) {
        uint8_t one = byte(in);
        text[size++] = guided && one ? letters[one % 16] : (char)one;
    }
    text[size] = 0;
    exact = malloc(size ? size : 1);
    CHECK(exact);
    memcpy(exact, text, size);
    size_t length = nl_form_stamp((const uint8_t *)exact, size, &ms, &serial);
    CHECK(length == stamp_of(text, &wanted_ms, &wanted_serial));
    CHECK(length <= size && (!length || (ms == wanted_ms && serial == wanted_serial)));
    stamps += length != 0;
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    switch (byte(&in) % 4) {
    case 0:
        layouts(&in);
        break;
    case 1:
        texts(in.at, in.left);
        break;
    case 2:
        stamp(&in, 0);
        break;
    default:
        stamp(&in, 1);
    }
    return 0;
}

#ifdef STANDALONE
/* Prints how many stamps were read. */
int main(int argc, char **argv)
{
    return run_program(argc, argv, &stamps);
}
#endif
