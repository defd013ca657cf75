/* The limit: ask the kernel, receive into one buffer, look at no more than is needed to know the end, throw it away.
 *
 * raw dump conntrack|route|neigh|link|tcp|tcp-info [loops=N]    recv() of a dump, 32 KiB at a time
 * raw connections [loops=N]    the dump of TCP sockets, and the sockets of all processes by /proc
 * raw events recv|recvmmsg count=N [seconds=S pause=MS] [read_buffer=B]
 * raw processes|uevents|audit recv|recvmmsg count=N [seconds=S] [read_buffer=B]    the same of other events
 * raw dump policies [loops=N]    those of xfrm
 * raw nflog recv group=N count=N threshold=N size=N [read_buffer=B]
 * raw nfqueue recv|recvmmsg|each|many|batch queue=N count=N [read_buffer=B]
 *     no verdicts; or recv() and a verdict; recvmmsg() and as many verdicts in a send, or one up to the last of them
 * raw request noop|getlink|getname|getfamily count=N
 *     sendto() and recv(): nothing, lo by index, v0 by name, the generic family "nlctrl"
 * raw bulk packed|single|one|last FILE family=N [window=N read_buffer=B]
 *     the requests of a file, each with an acknowledgement: so many in a datagram, or one in each by sendmmsg(), or
 *     one after the other's acknowledgement; last: so many in a datagram, acknowledgement of the last of them */

#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xfrm.h>
#include <unistd.h>

enum {
    SLOTS = 64,
    /* Half of the acknowledgements that a read buffer holds: of 212,992 bytes, each takes some 830 (Linux 6.18). */
    WINDOW = 128,
};

static char buffer[LOG_BUFFER];

static int dial(int family)
{
    struct sockaddr_nl local = {.nl_family = AF_NETLINK}, kernel = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) < 0 ||
        connect(fd, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        die("socket");
    return fd;
}

/* The dump's end, without walking the messages: DONE comes alone, or as the last 20 bytes. */
static int ends(const char *datagram, ssize_t size)
{
    struct nlmsghdr first, last;
    const ssize_t done = NLMSG_LENGTH(sizeof(int));
    if (size < done)
        return 0;
    memcpy(&first, datagram, sizeof first);
    memcpy(&last, datagram + size - done, sizeof last);
    return first.nlmsg_type == NLMSG_DONE || first.nlmsg_type == NLMSG_ERROR ||
           (last.nlmsg_type == NLMSG_DONE && last.nlmsg_len == (unsigned)done);
}

static void dump_once(int fd, const void *request, size_t length)
{
    ssize_t n;
    if (send(fd, request, length, 0) < 0)
        die("send");
    do {
        if ((n = recv(fd, buffer, DUMP_BUFFER, 0)) < 0)
            die("recv");
    } while (!ends(buffer, n));
}

static void dump(int family, const void *request, size_t length, long long loops)
{
    struct result r;
    int fd = dial(family);
    begin(&r);
    for (long long i = 0; i < loops; i++)
        dump_once(fd, request, length);
    finish(&r, loops);
}

static void dump_conntrack(long long loops)
{
    struct {
        struct nlmsghdr header;
        struct nfgenmsg family;
    } request = {
        {sizeof request, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
        {AF_UNSPEC, NFNETLINK_V0, 0},
    };
    dump(NETLINK_NETFILTER, &request, sizeof request, loops);
}

/* Routes and neighbours of IPv4, or links. */
static void dump_objects(const char *what, long long loops)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link; /* the longest header of all; each begins with the family */
    } request = {.header = {.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 1}};
    size_t size = sizeof request.link;

    if (strcmp(what, "link") == 0)
        request.header.nlmsg_type = RTM_GETLINK;
    else {
        int routes = strcmp(what, "route") == 0;
        request.header.nlmsg_type = routes ? RTM_GETROUTE : RTM_GETNEIGH;
        request.link.ifi_family = AF_INET;
        size = routes ? sizeof(struct rtmsg) : sizeof(struct ndmsg);
    }
    request.header.nlmsg_len = NLMSG_LENGTH(size);
    dump(NETLINK_ROUTE, &request, request.header.nlmsg_len, loops);
}

/* The policies of xfrm. */
static void dump_policies(long long loops)
{
    struct nlmsghdr request = {NLMSG_HDRLEN, XFRM_MSG_GETPOLICY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
    dump(NETLINK_XFRM, &request, sizeof request, loops);
}

struct tcp_request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 sockets;
};

/* TCP sockets of IPv4 in all states. */
static struct tcp_request tcp_request(uint8_t extensions)
{
    return (struct tcp_request){
        {sizeof(struct tcp_request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
        {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_ext = extensions, .idiag_states = 0x3ffe},
    };
}

static void dump_tcp(int with_info, long long loops)
{
    const uint8_t all = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_SKMEMINFO - 1);
    struct tcp_request request = tcp_request(with_info ? all : 0);
    dump(NETLINK_SOCK_DIAG, &request, sizeof request, loops);
}

/* The descriptors of a process that are sockets. */
static long long sockets_of(const char *pid)
{
    char path[300], link[64];
    struct dirent *entry;
    long long found = 0;
    DIR *directory;
    int fd;

    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    if ((fd = open(path, O_RDONLY | O_DIRECTORY)) < 0)
        return 0;
    if (!(directory = fdopendir(fd)))
        die(path);
    while ((entry = readdir(directory))) {
        ssize_t size = readlinkat(fd, entry->d_name, link, sizeof link);
        found += size > 8 && memcmp(link, "socket:[", 8) == 0;
    }
    closedir(directory);
    return found;
}

static void connections(long long loops)
{
    struct tcp_request request = tcp_request(0);
    struct result r;
    int fd = dial(NETLINK_SOCK_DIAG);
    begin(&r);
    for (long long i = 0; i < loops; i++) {
        struct dirent *entry;
        DIR *proc = opendir("/proc");
        if (!proc)
            die("/proc");
        dump_once(fd, &request, sizeof request);
        while ((entry = readdir(proc)))
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
                sockets_of(entry->d_name);
        closedir(proc);
    }
    finish(&r, loops);
}

/* Have the kernel report processes, or no longer. It does until it is told otherwise. */
static void listen_to_processes(int fd, enum proc_cn_mcast_op operation)
{
    struct {
        struct nlmsghdr header;
        struct cn_msg message;
        uint32_t operation;
    } request = {
        {sizeof request, NLMSG_DONE, 0, 0, 0},
        {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof request.operation},
        operation,
    };
    if (send(fd, &request, sizeof request, 0) < 0)
        die("the connector, which is of the first network namespace");
}

/* count events, or all that come in some seconds. */
static void events(int family, int many, long long count, double seconds, long long read_buffer, long long pause)
{
    struct mmsghdr heads[SLOTS];
    struct iovec slots[SLOTS];
    struct result r;
    int fd = dial(family), yes = 1;
    int first = family == NETLINK_NETFILTER ? NFNLGRP_CONNTRACK_NEW : 1;
    int last = family == NETLINK_NETFILTER ? NFNLGRP_CONNTRACK_DESTROY : 1;
    double end;

    for (int i = 0; i < SLOTS; i++) {
        /* Slots side by side at powers of 2 would fall on the same lines of the cache. */
        slots[i] = (struct iovec){malloc(EVENT_BUFFER + 64), EVENT_BUFFER};
        heads[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &slots[i], .msg_iovlen = 1}};
    }
    set_read_buffer(fd, read_buffer);
    setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes);
    for (int group = first; group <= last; group++)
        if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
            die("NETLINK_ADD_MEMBERSHIP");
    if (family == NETLINK_CONNECTOR)
        listen_to_processes(fd, PROC_CN_MCAST_LISTEN);
    await_backlog();
    begin(&r);
    end = r.start + seconds;
    while (seconds ? now() < end : r.items < count) {
        int got = many ? recvmmsg(fd, heads, SLOTS, MSG_DONTWAIT, NULL)
                  : recv(fd, slots[0].iov_base, EVENT_BUFFER, MSG_DONTWAIT) >= 0 ? 1
                                                                                 : -1;
        if (got > 0)
            r.items += got;
        else if (pause)
            usleep((useconds_t)pause * 1000);
        else if (!readable(fd) && !seconds)
            break;
    }
    r.lost = drops(fd);
    finish(&r, 1);
    if (family == NETLINK_CONNECTOR)
        listen_to_processes(fd, PROC_CN_MCAST_IGNORE);
}

static void add(char *request, unsigned short type, const void *data, unsigned short length)
{
    struct nlmsghdr *header = (struct nlmsghdr *)request;
    struct nlattr *attribute = (struct nlattr *)(request + header->nlmsg_len);
    attribute->nla_type = type;
    attribute->nla_len = (unsigned short)(NLA_HDRLEN + length);
    memcpy(attribute + 1, data, length);
    header->nlmsg_len += NLA_ALIGN(attribute->nla_len);
}

/* The elements of the set "s" or the rules of the table "bench". */
static void dump_ruleset(int elements, long long loops)
{
    _Alignas(4) char request[128] = {0};
    struct nlmsghdr *header = (struct nlmsghdr *)request;
    uint16_t type = elements ? NFT_MSG_GETSETELEM : NFT_MSG_GETRULE;
    *header = (struct nlmsghdr){NLMSG_LENGTH(sizeof(struct nfgenmsg)), (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                                NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
    ((struct nfgenmsg *)NLMSG_DATA(header))->nfgen_family = NFPROTO_IPV4;
    add(request, elements ? NFTA_SET_ELEM_LIST_TABLE : NFTA_RULE_TABLE, "bench", sizeof "bench");
    if (elements)
        add(request, NFTA_SET_ELEM_LIST_SET, "s", sizeof "s");
    dump(NETLINK_NETFILTER, request, header->nlmsg_len, loops);
}

/* A batch of which one change asks for an acknowledgement. */
static void batch(const char *path)
{
    size_t size;
    int write_buffer = 16 << 20;
    char *requests = read_file(path, &size);
    struct nlmsgerr answer;
    struct result r;
    int fd = dial(NETLINK_NETFILTER);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &write_buffer, sizeof write_buffer) < 0)
        die("SO_SNDBUFFORCE");
    begin(&r);
    if (send(fd, requests, size, 0) < 0 || recv(fd, buffer, sizeof buffer, 0) < 0)
        die("batch");
    memcpy(&answer, NLMSG_DATA(buffer), sizeof answer);
    finish(&r, 1);
    free(requests);
    if (answer.error) {
        fprintf(stderr, "raw: batch: %s\n", strerror(-answer.error));
        exit(1);
    }
}

static void acknowledged(int fd, const char *request, const char *what)
{
    if (send(fd, request, ((const struct nlmsghdr *)request)->nlmsg_len, 0) < 0 ||
        recv(fd, buffer, sizeof buffer, 0) < 0)
        die("bind");
    if (((struct nlmsgerr *)NLMSG_DATA(buffer))->error) {
        fprintf(stderr, "raw: the kernel refuses the %s\n", what);
        exit(1);
    }
}

static void bind_group(int fd, uint16_t group, uint32_t threshold, uint32_t size)
{
    _Alignas(4) char request[256] = {0};
    struct nlmsghdr *header = (struct nlmsghdr *)request;
    struct nfgenmsg *family = NLMSG_DATA(header);
    struct nfulnl_msg_config_cmd command = {.command = NFULNL_CFG_CMD_BIND};
    struct nfulnl_msg_config_mode mode = {.copy_mode = NFULNL_COPY_PACKET, .copy_range = htonl(0xffff)};
    uint32_t timeout = htonl(10);
    uint16_t flags = htons(NFULNL_CFG_F_SEQ);

    *header = (struct nlmsghdr){NLMSG_LENGTH(sizeof *family), (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG,
                                NLM_F_REQUEST | NLM_F_ACK, 1, 0};
    *family = (struct nfgenmsg){AF_UNSPEC, NFNETLINK_V0, htons(group)};
    threshold = htonl(threshold);
    size = htonl(size);
    add(request, NFULA_CFG_CMD, &command, sizeof command);
    add(request, NFULA_CFG_MODE, &mode, sizeof mode);
    add(request, NFULA_CFG_NLBUFSIZ, &size, sizeof size);
    add(request, NFULA_CFG_TIMEOUT, &timeout, sizeof timeout);
    add(request, NFULA_CFG_QTHRESH, &threshold, sizeof threshold);
    add(request, NFULA_CFG_FLAGS, &flags, sizeof flags);
    acknowledged(fd, request, "group");
}

/* Receive, and walk from header to header to count the packets. */
static void nflog(int fd, long long count)
{
    struct result r;
    await_backlog();
    begin(&r);
    while (r.items < count) {
        ssize_t left = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        const char *at = buffer;
        if (left < 0 && !readable(fd))
            break;
        while (left >= (ssize_t)NLMSG_HDRLEN) {
            struct nlmsghdr header;
            memcpy(&header, at, sizeof header);
            if (header.nlmsg_len < NLMSG_HDRLEN || (ssize_t)header.nlmsg_len > left)
                break;
            r.items += header.nlmsg_type != NLMSG_DONE;
            at += NLMSG_ALIGN(header.nlmsg_len);
            left -= NLMSG_ALIGN(header.nlmsg_len);
        }
    }
    r.lost = drops(fd);
    finish(&r, 1);
}

static void bind_queue(int fd, uint16_t queue, uint32_t length)
{
    _Alignas(4) char request[256] = {0};
    struct nlmsghdr *header = (struct nlmsghdr *)request;
    struct nfgenmsg *family = NLMSG_DATA(header);
    struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND};
    struct nfqnl_msg_config_params params = {.copy_mode = NFQNL_COPY_PACKET, .copy_range = htonl(0xffff)};
    uint32_t flags = htonl(NFQA_CFG_F_GSO);

    *header = (struct nlmsghdr){NLMSG_LENGTH(sizeof *family), (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_CONFIG,
                                NLM_F_REQUEST | NLM_F_ACK, 1, 0};
    *family = (struct nfgenmsg){AF_UNSPEC, NFNETLINK_V0, htons(queue)};
    length = htonl(length);
    add(request, NFQA_CFG_CMD, &command, sizeof command);
    add(request, NFQA_CFG_PARAMS, &params, sizeof params);
    add(request, NFQA_CFG_QUEUE_MAXLEN, &length, sizeof length);
    add(request, NFQA_CFG_FLAGS, &flags, sizeof flags);
    add(request, NFQA_CFG_MASK, &flags, sizeof flags);
    acknowledged(fd, request, "queue");
}

/* The id of a packet, in network byte order: the first attribute has it. */
static uint32_t id_of(const char *datagram)
{
    struct nlattr attribute;
    struct nfqnl_msg_packet_hdr packet;
    memcpy(&attribute, datagram + NLMSG_HDRLEN + sizeof(struct nfgenmsg), sizeof attribute);
    memcpy(&packet, datagram + NLMSG_HDRLEN + sizeof(struct nfgenmsg) + NLA_HDRLEN, sizeof packet);
    if (attribute.nla_type != NFQA_PACKET_HDR) {
        fprintf(stderr, "raw: a message without a packet\n");
        exit(1);
    }
    return packet.packet_id;
}

/* Receive the packets of a queue, and accept them. */
static void nfqueue(int fd, const char *how, uint16_t queue, long long count)
{
    struct {
        struct nlmsghdr header;
        struct nfgenmsg family;
        struct nlattr attribute;
        struct nfqnl_msg_verdict_hdr verdict;
    } verdicts[SLOTS];
    struct mmsghdr heads[SLOTS];
    struct iovec slots[SLOTS];
    struct result r;
    int each = strcmp(how, "each") == 0, batch = strcmp(how, "batch") == 0, many = strcmp(how, "many") == 0;
    int one = each || strcmp(how, "recv") == 0;
    uint16_t type = batch ? NFQNL_MSG_VERDICT_BATCH : NFQNL_MSG_VERDICT;

    for (int i = 0; i < SLOTS; i++) {
        slots[i] = (struct iovec){malloc(PACKET_BUFFER + 64), PACKET_BUFFER};
        heads[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &slots[i], .msg_iovlen = 1}};
        verdicts[i].header =
            (struct nlmsghdr){sizeof verdicts[i], (uint16_t)(NFNL_SUBSYS_QUEUE << 8) | type, NLM_F_REQUEST, 0, 0};
        verdicts[i].family = (struct nfgenmsg){AF_UNSPEC, NFNETLINK_V0, htons(queue)};
        verdicts[i].attribute = (struct nlattr){NLA_HDRLEN + sizeof verdicts[i].verdict, NFQA_VERDICT_HDR};
        verdicts[i].verdict.verdict = htonl(NF_ACCEPT);
    }
    await_backlog();
    begin(&r);
    while (r.items < count) {
        int first = 0, got = one ? (recv(fd, slots[0].iov_base, PACKET_BUFFER, MSG_DONTWAIT) < 0 ? -1 : 1)
                                 : recvmmsg(fd, heads, SLOTS, MSG_DONTWAIT, NULL);
        if (got <= 0) {
            if (!readable(fd))
                break;
            continue;
        }
        r.items += got;
        if (!each && !batch && !many)
            continue;
        if (batch)
            first = got - 1;
        for (int i = first; i < got; i++)
            verdicts[i].verdict.id = id_of(slots[i].iov_base);
        if (send(fd, &verdicts[first], (size_t)(got - first) * sizeof verdicts[0], 0) < 0)
            die("verdict");
    }
    r.lost = drops(fd);
    finish(&r, 1);
}

static void request(const char *what, long long count)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        struct nlattr attribute;
        char name[4];
    } message = {
        {NLMSG_HDRLEN, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
        {.ifi_family = AF_UNSPEC},
        {NLA_HDRLEN + sizeof "v0", IFLA_IFNAME},
        "v0",
    };
    struct {
        struct nlmsghdr header;
        struct genlmsghdr command;
        struct nlattr attribute;
        char name[8];
    } getfamily = {
        {sizeof getfamily, GENL_ID_CTRL, NLM_F_REQUEST, 1, 0},
        {CTRL_CMD_GETFAMILY, 1, 0},
        {NLA_HDRLEN + sizeof "nlctrl", CTRL_ATTR_FAMILY_NAME},
        "nlctrl",
    };
    struct result r;
    int is_generic = strcmp(what, "getfamily") == 0, fd = dial(is_generic ? NETLINK_GENERIC : NETLINK_ROUTE);
    const void *request = is_generic ? (void *)&getfamily : (void *)&message;
    size_t length;
    if (strcmp(what, "getlink") == 0) {
        message.header = (struct nlmsghdr){NLMSG_LENGTH(sizeof message.link), RTM_GETLINK, NLM_F_REQUEST, 1, 0};
        message.link.ifi_index = 1;
    } else if (strcmp(what, "getname") == 0)
        message.header = (struct nlmsghdr){sizeof message, RTM_GETLINK, NLM_F_REQUEST, 1, 0};
    length = is_generic ? sizeof getfamily : message.header.nlmsg_len;
    begin(&r);
    for (; r.items < count; r.items++)
        if (send(fd, request, length, 0) < 0 || recv(fd, buffer, DUMP_BUFFER, 0) < 0)
            die("request");
    finish(&r, 1);
}

enum { WINDOW_MAX = 1024 };

/* The requests of a file, one behind the other. Acknowledgements of no more than a window of them are ever queued. */
static void bulk(const char *how, const char *path, int family, int window, long long read_buffer)
{
    int last = strcmp(how, "last") == 0, packed = last || strcmp(how, "packed") == 0, got;
    size_t size, at = 0;
    char *requests = read_file(path, &size);
    static struct mmsghdr out[WINDOW_MAX], in[WINDOW_MAX];
    static struct iovec sent[WINDOW_MAX], slots[WINDOW_MAX];
    static union {
        struct {
            struct nlmsghdr header;
            struct nlmsgerr error;
        } answer;
        char bytes[4096]; /* an error echoes its request */
    } replies[WINDOW_MAX];
    struct result r;
    int fd = dial(family), yes = 1;

    if (window < 1 || window > WINDOW_MAX) {
        fprintf(stderr, "raw: a window has 1 to %d requests\n", WINDOW_MAX);
        exit(1);
    }
    for (int i = 0; i < window; i++) {
        slots[i] = (struct iovec){&replies[i], sizeof replies[i]};
        in[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &slots[i], .msg_iovlen = 1}};
        out[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &sent[i], .msg_iovlen = 1}};
    }
    set_read_buffer(fd, read_buffer);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
    begin(&r);
    while (at < size) {
        int requested = 0, datagrams, awaited, answered = 0;
        size_t from = at;
        for (; requested < window && at < size; requested++) {
            struct nlmsghdr header;
            memcpy(&header, requests + at, sizeof header);
            sent[requested] = (struct iovec){requests + at, header.nlmsg_len};
            at += NLMSG_ALIGN(header.nlmsg_len);
            if (last && requested + 1 < window && at < size) {
                header.nlmsg_flags &= (uint16_t)~NLM_F_ACK;
                memcpy(sent[requested].iov_base, &header, sizeof header);
            }
        }
        if (packed)
            sent[0].iov_len = at - from;
        datagrams = packed ? 1 : requested;
        awaited = last ? 1 : requested;
        for (int done = 0; done < datagrams; done += got)
            if ((got = sendmmsg(fd, out + done, (unsigned)(datagrams - done), 0)) < 0)
                die("sendmmsg");
        while (answered < awaited) {
            if ((got = recvmmsg(fd, in, (unsigned)window, MSG_WAITFORONE, NULL)) < 0)
                die("recvmmsg");
            for (int i = 0; i < got; i++) {
                const struct nlmsghdr *header = &replies[i].answer.header;
                const struct nlmsgerr *answer = &replies[i].answer.error;
                if (header->nlmsg_type != NLMSG_ERROR || answer->error) {
                    fprintf(stderr, "raw: request %u: %s\n", header->nlmsg_seq, strerror(-answer->error));
                    exit(1);
                }
            }
            answered += got;
        }
        r.items += requested;
    }
    free(requests);
    finish(&r, 1);
}

int main(int argc, char **argv)
{
    long long count = option(argc, argv, "count", 0);
    int family = is(argc, argv, 1, "events")      ? NETLINK_NETFILTER
                 : is(argc, argv, 1, "processes") ? NETLINK_CONNECTOR
                 : is(argc, argv, 1, "uevents")   ? NETLINK_KOBJECT_UEVENT
                 : is(argc, argv, 1, "audit")     ? NETLINK_AUDIT
                                                  : -1;

    if (is(argc, argv, 1, "dump") && is(argc, argv, 2, "conntrack"))
        dump_conntrack(option(argc, argv, "loops", 1));
    else if (is(argc, argv, 1, "dump") && argc > 2 && strncmp(argv[2], "tcp", 3) == 0)
        dump_tcp(is(argc, argv, 2, "tcp-info"), option(argc, argv, "loops", 1));
    else if (is(argc, argv, 1, "connections"))
        connections(option(argc, argv, "loops", 1));
    else if (is(argc, argv, 1, "dump") && (is(argc, argv, 2, "elements") || is(argc, argv, 2, "rules")))
        dump_ruleset(is(argc, argv, 2, "elements"), option(argc, argv, "loops", 1));
    else if (is(argc, argv, 1, "dump") && is(argc, argv, 2, "policies"))
        dump_policies(option(argc, argv, "loops", 1));
    else if (is(argc, argv, 1, "batch") && argc > 2)
        batch(argv[2]);
    else if (is(argc, argv, 1, "dump") && argc > 2)
        dump_objects(argv[2], option(argc, argv, "loops", 1));
    else if (family >= 0)
        events(family, is(argc, argv, 2, "recvmmsg"), count, (double)option(argc, argv, "seconds", 0),
               option(argc, argv, "read_buffer", 0), option(argc, argv, "pause", 0));
    else if (is(argc, argv, 1, "nflog")) {
        int fd = dial(NETLINK_NETFILTER);
        set_read_buffer(fd, option(argc, argv, "read_buffer", 0));
        bind_group(fd, (uint16_t)option(argc, argv, "group", 0), (uint32_t)option(argc, argv, "threshold", 100),
                   (uint32_t)option(argc, argv, "size", 65536));
        nflog(fd, count);
    } else if (is(argc, argv, 1, "nfqueue") && argc > 2) {
        int fd = dial(NETLINK_NETFILTER);
        uint16_t queue = (uint16_t)option(argc, argv, "queue", 0);
        set_read_buffer(fd, option(argc, argv, "read_buffer", 0));
        bind_queue(fd, queue, (uint32_t)count);
        nfqueue(fd, argv[2], queue, count);
    } else if (is(argc, argv, 1, "request") && argc > 2)
        request(argv[2], count);
    else if (is(argc, argv, 1, "bulk") && argc > 3)
        bulk(argv[2], argv[3], (int)option(argc, argv, "family", 0),
             is(argc, argv, 2, "one") ? 1 : (int)option(argc, argv, "window", WINDOW),
             option(argc, argv, "read_buffer", 0));
    else {
        fprintf(stderr, "usage: see the head of raw.c\n");
        return 2;
    }
    return 0;
}
