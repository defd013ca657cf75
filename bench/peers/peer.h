/* What the C peers share: options, clocks, the receive buffer, the backlog's hand-shake, and the result as JSON. */

#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum {
    DUMP_BUFFER = 32768,         /* the kernel makes no larger chunks of a dump */
    EVENT_BUFFER = 8192,         /* more than an event has */
    LOG_BUFFER = 256 * 1024,     /* twice the kernel's largest collecting buffer */
    PACKET_BUFFER = 65536 + 512, /* the longest packet, and the other attributes */
};

struct result {
    double start, user, sys; /* at the start, then what it took */
    long long items, sum, lost;
};

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The value of "name=value" among the arguments. */
static inline long long option(int argc, char **argv, const char *name, long long otherwise)
{
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return atoll(argv[i] + length + 1);
    return otherwise;
}

static inline int is(int argc, char **argv, int at, const char *word)
{
    return argc > at && strcmp(argv[at], word) == 0;
}

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double of_timeval(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static inline void begin(struct result *r)
{
    struct rusage usage;
    memset(r, 0, sizeof *r);
    getrusage(RUSAGE_SELF, &usage);
    r->user = of_timeval(usage.ru_utime);
    r->sys = of_timeval(usage.ru_stime);
    r->start = now();
}

/* Print what the work took, each of `loops` times. */
static inline void finish(struct result *r, long long loops)
{
    struct rusage usage;
    double seconds = now() - r->start;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"seconds\": %.9f, \"user\": %.6f, \"sys\": %.6f, \"items\": %lld, \"sum\": %lld, \"lost\": %lld}\n",
           seconds / (double)loops, (of_timeval(usage.ru_utime) - r->user) / (double)loops,
           (of_timeval(usage.ru_stime) - r->sys) / (double)loops, r->items / loops, r->sum / loops, r->lost);
}

/* Say that the socket is ready to be filled, and wait until the runner has done that. */
static inline void await_backlog(void)
{
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        exit(1);
}

static inline void set_read_buffer(int fd, long long bytes)
{
    int size = (int)bytes;
    if (size && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        die("SO_RCVBUFFORCE");
}

/* Whether something comes within a second. */
static inline int readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 1000) > 0;
}

/* Datagrams that the kernel dropped on this socket. */
static inline long long drops(int fd)
{
    uint32_t info[9] = {0}; /* SK_MEMINFO_DROPS is the last of 9 */
    socklen_t length = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, info, &length) < 0)
        die("SO_MEMINFO");
    return info[8];
}

static inline char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data = malloc(64 << 20);
    if (!file || !data)
        die(path);
    *size = fread(data, 1, 64 << 20, file);
    fclose(file);
    return data;
}

#endif
