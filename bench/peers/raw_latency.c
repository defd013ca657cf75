/* The floor of a request and its acknowledgement: sendto() and recv() of a NOOP with NLM_F_ACK, or of RTM_GETLINK of lo,
 * N times, nothing decoded. raw_latency noop|getlink N. Prints JSON. */

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

static double between(const struct timeval *a, const struct timeval *b)
{
    return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_usec - a->tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    static char buffer[32768];
    int getlink = argc > 1 && strcmp(argv[1], "getlink") == 0;
    long rounds = argc > 2 ? atol(argv[2]) : 0;
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {
        {NLMSG_HDRLEN, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
        {.ifi_family = AF_UNSPEC, .ifi_index = 1},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timespec start, end;
    struct rusage before, after;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0 || rounds < 1) {
        fprintf(stderr, "usage: raw_latency noop|getlink N\n");
        return 1;
    }
    if (getlink) {
        request.header.nlmsg_len = sizeof request;
        request.header.nlmsg_type = RTM_GETLINK;
        request.header.nlmsg_flags = NLM_F_REQUEST;
    }
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < rounds; i++) {
        if (sendto(fd, &request, request.header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0 ||
            recv(fd, buffer, sizeof buffer, 0) < 0) {
            perror("raw_latency");
            return 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    printf("{\"seconds\": %.9f, \"user\": %.6f, \"sys\": %.6f}\n",
           (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
           between(&before.ru_utime, &after.ru_utime), between(&before.ru_stime, &after.ru_stime));
    return 0;
}
