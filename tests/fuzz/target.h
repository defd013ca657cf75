/* What the fuzz targets share. With -DSTANDALONE each is a program that makes its inputs itself, for compilers without
 * libFuzzer. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of an input, from which a target makes what it needs. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 behind the end. */
static inline uint8_t byte(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

#ifdef STANDALONE
static inline uint64_t next(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* So many inputs of up to 1,024 bytes, small ones more often. */
static inline void run_random(long inputs)
{
    static uint8_t bytes[1024];
    for (; inputs > 0; inputs--) {
        size_t size = next() % (sizeof bytes + 1);
        for (size_t i = 0; i < size; i++)
            bytes[i] = next() % 3 ? (uint8_t)next() : (uint8_t)(next() % 5);
        LLVMFuzzerTestOneInput(bytes, size);
    }
}

/* The input in a file; its size. */
static inline size_t read_input(const char *path, uint8_t *to, size_t room)
{
    FILE *f = fopen(path, "rb");
    CHECK(f);
    size_t size = fread(to, 1, room, f);
    fclose(f);
    return size;
}

static inline void run_files(int count, char **paths)
{
    static uint8_t input[1 << 16];
    for (int i = 0; i < count; i++)
        LLVMFuzzerTestOneInput(input, read_input(paths[i], input, sizeof input));
}

/* The program of a target that has no seeds of its own: so many inputs, the files, and what was counted. */
static inline int run_program(int argc, char **argv, const long *count)
{
    CHECK(argc >= 2);
    run_random(atol(argv[1]));
    run_files(argc - 2, argv + 2);
    printf("%ld\n", *count);
    return 0;
}
#endif

#endif
