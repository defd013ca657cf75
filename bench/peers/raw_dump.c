/* The floor of every dump benchmark: ask ctnetlink for its table, recv() into one 32 KiB buffer, throw the data away.
 * Prints JSON. Only the receive loop is timed, as in bench/dump.py. */

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double since(const struct timespec *a, const struct timespec *b)
{
    return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

static double between(const struct timeval *a, const struct timeval *b)
{
    return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_usec - a->tv_usec) / 1e6;
}

/* The dump's end, without walking the messages: DONE comes alone, or as the last 20 bytes. */
static int ends(const char *buffer, ssize_t size)
{
    struct nlmsghdr first, last;
    const ssize_t done = NLMSG_LENGTH(sizeof(int));
    if (size < done)
        return 0;
    memcpy(&first, buffer, sizeof first);
    memcpy(&last, buffer + size - done, sizeof last);
    return first.nlmsg_type == NLMSG_DONE || first.nlmsg_type == NLMSG_ERROR ||
           (last.nlmsg_type == NLMSG_DONE && last.nlmsg_len == (unsigned)done);
}

int main(void)
{
    static char buffer[32768];
    struct {
        struct nlmsghdr header;
        struct nfgenmsg family;
    } request = {
        {sizeof request, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
        {AF_UNSPEC, NFNETLINK_V0, 0},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timespec start, end;
    struct rusage before, after;
    long long bytes = 0, receives = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0 || sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) {
        perror("raw_dump");
        return 1;
    }
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n < 0) {
            perror("raw_dump: recv");
            return 1;
        }
        receives++;
        bytes += n;
        if (ends(buffer, n))
            break;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    close(fd);
    printf("{\"seconds\": %.9f, \"user\": %.6f, \"sys\": %.6f, \"receives\": %lld, \"bytes\": %lld}\n",
           since(&start, &end), between(&before.ru_utime, &after.ru_utime), between(&before.ru_stime, &after.ru_stime),
           receives, bytes);
    return 0;
}
