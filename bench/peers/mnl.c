/* libmnl, as its examples use it: mnl_cb_run over what was received, mnl_attr_parse of every level, three fields read.
 *
 * mnl dump conntrack|route|neigh|link [loops=N]
 * mnl events count=N [seconds=S] [read_buffer=B]
 * mnl nflog group=N count=N threshold=N size=N [read_buffer=B]
 * mnl request noop|getlink|getname|getfamily count=N    getname: of v0; getfamily: of the generic "nlctrl"
 * mnl create count=N                        routes, by mnl_nlmsg_batch
 * mnl decode FILE [loops=N]                 messages of conntrack, one behind the other */

#include "peer.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/rtnetlink.h>

struct table {
    const struct nlattr **of;
    unsigned max;
};

static char buffer[LOG_BUFFER];

static int note(const struct nlattr *attribute, void *data)
{
    struct table *table = data;
    unsigned type = mnl_attr_get_type(attribute);
    if (type <= table->max)
        table->of[type] = attribute;
    return MNL_CB_OK;
}

/* The attributes within another, by their type. */
#define NESTED(name, attribute, most)                                                                                  \
    const struct nlattr *name[(most) + 1] = {0};                                                                       \
    struct table name##_table = {name, most};                                                                          \
    if (attribute)                                                                                                     \
    mnl_attr_parse_nested(attribute, note, &name##_table)

static int on_flow(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    const struct nlattr *of[CTA_MAX + 1] = {0};
    struct table table = {of, CTA_MAX};

    mnl_attr_parse(header, sizeof(struct nfgenmsg), note, &table);
    /* All that libnetfilter_conntrack would take apart too: a flow is decoded, not searched. */
    NESTED(orig, of[CTA_TUPLE_ORIG], CTA_TUPLE_MAX);
    NESTED(orig_ip, orig[CTA_TUPLE_IP], CTA_IP_MAX);
    NESTED(orig_proto, orig[CTA_TUPLE_PROTO], CTA_PROTO_MAX);
    NESTED(reply, of[CTA_TUPLE_REPLY], CTA_TUPLE_MAX);
    NESTED(reply_ip, reply[CTA_TUPLE_IP], CTA_IP_MAX);
    NESTED(reply_proto, reply[CTA_TUPLE_PROTO], CTA_PROTO_MAX);
    NESTED(info, of[CTA_PROTOINFO], CTA_PROTOINFO_MAX);
    NESTED(tcp, info[CTA_PROTOINFO_TCP], CTA_PROTOINFO_TCP_MAX);
    NESTED(counters_orig, of[CTA_COUNTERS_ORIG], CTA_COUNTERS_MAX);
    NESTED(counters_reply, of[CTA_COUNTERS_REPLY], CTA_COUNTERS_MAX);
    NESTED(stamp, of[CTA_TIMESTAMP], CTA_TIMESTAMP_MAX);

    if (orig_proto[CTA_PROTO_SRC_PORT])
        r->sum += ntohs(mnl_attr_get_u16(orig_proto[CTA_PROTO_SRC_PORT]));
    if (of[CTA_STATUS])
        r->sum += ntohl(mnl_attr_get_u32(of[CTA_STATUS]));
    if (of[CTA_MARK])
        r->sum += ntohl(mnl_attr_get_u32(of[CTA_MARK]));
    r->items++;
    return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    const struct nlattr *of[RTA_MAX + 1] = {0};
    struct table table = {of, RTA_MAX};
    const struct rtmsg *route = mnl_nlmsg_get_payload(header);

    mnl_attr_parse(header, sizeof *route, note, &table);
    r->sum += route->rtm_dst_len;
    if (of[RTA_DST])
        r->sum += ntohl(mnl_attr_get_u32(of[RTA_DST])) & 0xffffff;
    if (of[RTA_OIF])
        r->sum += mnl_attr_get_u32(of[RTA_OIF]);
    r->items++;
    return MNL_CB_OK;
}

static int on_neighbour(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    const struct nlattr *of[NDA_MAX + 1] = {0};
    struct table table = {of, NDA_MAX};
    const struct ndmsg *neighbour = mnl_nlmsg_get_payload(header);

    mnl_attr_parse(header, sizeof *neighbour, note, &table);
    r->sum += neighbour->ndm_ifindex + neighbour->ndm_state;
    if (of[NDA_DST])
        r->sum += ntohl(mnl_attr_get_u32(of[NDA_DST])) & 0xffffff;
    r->items++;
    return MNL_CB_OK;
}

static int on_link_fields(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    const struct nlattr *of[IFLA_MAX + 1] = {0};
    struct table table = {of, IFLA_MAX};
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(header);

    mnl_attr_parse(header, sizeof *link, note, &table);
    r->sum += link->ifi_index;
    if (of[IFLA_MTU])
        r->sum += mnl_attr_get_u32(of[IFLA_MTU]);
    if (of[IFLA_IFNAME])
        r->sum += (long long)strlen(mnl_attr_get_str(of[IFLA_IFNAME]));
    r->items++;
    return MNL_CB_OK;
}

static int on_packet(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    const struct nlattr *of[NFULA_MAX + 1] = {0};
    struct table table = {of, NFULA_MAX};

    mnl_attr_parse(header, sizeof(struct nfgenmsg), note, &table);
    if (of[NFULA_PAYLOAD])
        r->sum += mnl_attr_get_payload_len(of[NFULA_PAYLOAD]);
    if (of[NFULA_PREFIX])
        r->sum += (long long)strlen(mnl_attr_get_str(of[NFULA_PREFIX]));
    if (of[NFULA_MARK])
        r->sum += ntohl(mnl_attr_get_u32(of[NFULA_MARK]));
    if (of[NFULA_IFINDEX_OUTDEV])
        r->sum += ntohl(mnl_attr_get_u32(of[NFULA_IFINDEX_OUTDEV]));
    r->items++;
    return MNL_CB_OK;
}

static struct mnl_socket *dial(int family)
{
    struct mnl_socket *nl = mnl_socket_open(family);
    if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
        die("mnl_socket_open");
    return nl;
}

static void dump(int family, int type, size_t extra, mnl_cb_t callback, long long loops)
{
    struct result r;
    struct mnl_socket *nl = dial(family);
    unsigned portid = mnl_socket_get_portid(nl);

    begin(&r);
    for (unsigned seq = 1; seq <= loops; seq++) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        unsigned char *payload = mnl_nlmsg_put_extra_header(header, extra);
        ssize_t n;
        header->nlmsg_type = (uint16_t)type;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        header->nlmsg_seq = seq;
        payload[0] = type == RTM_GETROUTE || type == RTM_GETNEIGH ? AF_INET : AF_UNSPEC;
        if (mnl_socket_sendto(nl, header, header->nlmsg_len) < 0)
            die("mnl_socket_sendto");
        while ((n = mnl_socket_recvfrom(nl, buffer, DUMP_BUFFER)) > 0)
            if ((n = mnl_cb_run(buffer, (size_t)n, seq, portid, callback, &r)) <= MNL_CB_STOP)
                break;
        if (n < 0)
            die("dump");
    }
    finish(&r, loops);
}

/* What is queued, count of it, or all that comes in some seconds. */
static void drain(struct mnl_socket *nl, size_t size, mnl_cb_t callback, long long count, double seconds)
{
    struct result r;
    int fd = mnl_socket_get_fd(nl);
    double end;

    await_backlog();
    begin(&r);
    end = r.start + seconds;
    while (seconds ? now() < end : r.items < count) {
        ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);
        if (n > 0)
            mnl_cb_run(buffer, (size_t)n, 0, 0, callback, &r);
        else if (!readable(fd) && !seconds)
            break;
    }
    r.lost = drops(fd);
    finish(&r, 1);
}

static void events(long long count, double seconds, long long read_buffer)
{
    struct mnl_socket *nl = dial(NETLINK_NETFILTER);
    int yes = 1;
    set_read_buffer(mnl_socket_get_fd(nl), read_buffer);
    mnl_socket_setsockopt(nl, NETLINK_NO_ENOBUFS, &yes, sizeof yes);
    for (int group = NFNLGRP_CONNTRACK_NEW; group <= NFNLGRP_CONNTRACK_DESTROY; group++)
        if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
            die("NETLINK_ADD_MEMBERSHIP");
    drain(nl, EVENT_BUFFER, on_flow, count, seconds);
}

static void nflog(uint16_t group, uint32_t threshold, uint32_t size, long long count, long long read_buffer)
{
    struct mnl_socket *nl = dial(NETLINK_NETFILTER);
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *family;
    struct nfulnl_msg_config_cmd command = {.command = NFULNL_CFG_CMD_BIND};
    struct nfulnl_msg_config_mode mode = {.copy_mode = NFULNL_COPY_PACKET, .copy_range = htonl(0xffff)};
    ssize_t n;

    set_read_buffer(mnl_socket_get_fd(nl), read_buffer);
    header->nlmsg_type = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    family = mnl_nlmsg_put_extra_header(header, sizeof *family);
    family->res_id = htons(group);
    mnl_attr_put(header, NFULA_CFG_CMD, sizeof command, &command);
    mnl_attr_put(header, NFULA_CFG_MODE, sizeof mode, &mode);
    mnl_attr_put_u32(header, NFULA_CFG_NLBUFSIZ, htonl(size));
    mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(10));
    mnl_attr_put_u32(header, NFULA_CFG_QTHRESH, htonl(threshold));
    mnl_attr_put_u16(header, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    if (mnl_socket_sendto(nl, header, header->nlmsg_len) < 0 ||
        (n = mnl_socket_recvfrom(nl, buffer, sizeof buffer)) < 0 || mnl_cb_run(buffer, (size_t)n, 0, 0, NULL, NULL) < 0)
        die("bind");
    drain(nl, sizeof buffer, on_packet, count, 0);
}

static int on_link(const struct nlmsghdr *header, void *data)
{
    (void)header;
    (void)data;
    return MNL_CB_STOP;
}

static int on_family(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    const struct nlattr *of[CTRL_ATTR_MAX + 1] = {0};
    struct table table = {of, CTRL_ATTR_MAX};

    mnl_attr_parse(header, sizeof(struct genlmsghdr), note, &table);
    if (of[CTRL_ATTR_FAMILY_ID])
        r->sum += mnl_attr_get_u16(of[CTRL_ATTR_FAMILY_ID]);
    if (of[CTRL_ATTR_VERSION])
        r->sum += mnl_attr_get_u32(of[CTRL_ATTR_VERSION]);
    return MNL_CB_STOP;
}

static void request(const char *what, long long count)
{
    struct result r;
    int is_generic = strcmp(what, "getfamily") == 0;
    struct mnl_socket *nl = dial(is_generic ? NETLINK_GENERIC : NETLINK_ROUTE);
    unsigned portid = mnl_socket_get_portid(nl);
    int by_index = strcmp(what, "getlink") == 0, by_name = strcmp(what, "getname") == 0;

    begin(&r);
    for (; r.items < count; r.items++) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        unsigned seq = (unsigned)r.items + 1;
        ssize_t n;
        header->nlmsg_type = NLMSG_NOOP;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        header->nlmsg_seq = seq;
        if (by_index || by_name) {
            struct ifinfomsg *link = mnl_nlmsg_put_extra_header(header, sizeof *link);
            header->nlmsg_type = RTM_GETLINK;
            header->nlmsg_flags = NLM_F_REQUEST;
            link->ifi_index = by_index;
            if (by_name)
                mnl_attr_put_strz(header, IFLA_IFNAME, "v0");
        } else if (is_generic) {
            struct genlmsghdr *command = mnl_nlmsg_put_extra_header(header, sizeof *command);
            header->nlmsg_type = GENL_ID_CTRL;
            header->nlmsg_flags = NLM_F_REQUEST;
            command->cmd = CTRL_CMD_GETFAMILY;
            command->version = 1;
            mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, "nlctrl");
        }
        if (mnl_socket_sendto(nl, header, header->nlmsg_len) < 0 ||
            (n = mnl_socket_recvfrom(nl, buffer, DUMP_BUFFER)) < 0 ||
            mnl_cb_run(buffer, (size_t)n, seq, portid, is_generic ? on_family : on_link, &r) < 0)
            die("request");
    }
    finish(&r, 1);
}

enum { FIRST_ROUTE = 0x0a000001, BATCH = 48 * 1024 };

static int check(const struct nlmsghdr *header, void *data)
{
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
    (void)data;
    errno = -answer->error;
    return answer->error ? MNL_CB_ERROR : MNL_CB_STOP;
}

/* Routes to single addresses, as many in a datagram as a batch takes; the last of each asks for an acknowledgement. */
static void create(long long count)
{
    struct result r;
    struct mnl_socket *nl = dial(NETLINK_ROUTE);
    unsigned portid = mnl_socket_get_portid(nl), seq = 0;
    static mnl_cb_t control[NLMSG_ERROR + 1] = {[NLMSG_ERROR] = check};
    static char requests[2 * BATCH];
    uint32_t lo = 1;

    begin(&r);
    while (r.items < count) {
        struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(requests, BATCH);
        struct nlmsghdr *header;
        ssize_t n;
        do {
            struct rtmsg *route;
            header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
            header->nlmsg_type = RTM_NEWROUTE;
            header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
            header->nlmsg_seq = ++seq;
            route = mnl_nlmsg_put_extra_header(header, sizeof *route);
            *route = (struct rtmsg){.rtm_family = AF_INET,
                                    .rtm_dst_len = 32,
                                    .rtm_table = RT_TABLE_MAIN,
                                    .rtm_protocol = RTPROT_STATIC,
                                    .rtm_scope = RT_SCOPE_LINK,
                                    .rtm_type = RTN_UNICAST};
            mnl_attr_put_u32(header, RTA_DST, htonl(FIRST_ROUTE + (uint32_t)r.items++));
            mnl_attr_put_u32(header, RTA_OIF, lo);
            /* One that goes beyond the limit has room, as the buffer is twice as long. */
        } while (mnl_nlmsg_batch_next(batch) && r.items < count);
        header->nlmsg_flags |= NLM_F_ACK;
        if (mnl_socket_sendto(nl, requests, (size_t)((char *)header - requests) + header->nlmsg_len) < 0)
            die("mnl_socket_sendto");
        do
            n = mnl_socket_recvfrom(nl, buffer, DUMP_BUFFER);
        while (n > 0 && (n = mnl_cb_run2(buffer, (size_t)n, 0, portid, NULL, NULL, control, NLMSG_ERROR + 1)) > 0);
        if (n < 0)
            die("create");
        mnl_nlmsg_batch_stop(batch);
    }
    finish(&r, 1);
}

static void decode(const char *path, long long loops)
{
    struct result r;
    size_t size;
    char *messages = read_file(path, &size);

    begin(&r);
    for (long long i = 0; i < loops; i++)
        if (mnl_cb_run(messages, size, 0, 0, on_flow, &r) < 0)
            die("mnl_cb_run");
    finish(&r, loops);
    free(messages);
}

int main(int argc, char **argv)
{
    long long count = option(argc, argv, "count", 0), loops = option(argc, argv, "loops", 1);
    long long read_buffer = option(argc, argv, "read_buffer", 0);

    if (is(argc, argv, 1, "dump") && is(argc, argv, 2, "conntrack"))
        dump(NETLINK_NETFILTER, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, sizeof(struct nfgenmsg), on_flow,
             loops);
    else if (is(argc, argv, 1, "dump") && is(argc, argv, 2, "route"))
        dump(NETLINK_ROUTE, RTM_GETROUTE, sizeof(struct rtmsg), on_route, loops);
    else if (is(argc, argv, 1, "dump") && is(argc, argv, 2, "neigh"))
        dump(NETLINK_ROUTE, RTM_GETNEIGH, sizeof(struct ndmsg), on_neighbour, loops);
    else if (is(argc, argv, 1, "dump") && is(argc, argv, 2, "link"))
        dump(NETLINK_ROUTE, RTM_GETLINK, sizeof(struct ifinfomsg), on_link_fields, loops);
    else if (is(argc, argv, 1, "events"))
        events(count, (double)option(argc, argv, "seconds", 0), read_buffer);
    else if (is(argc, argv, 1, "nflog"))
        nflog((uint16_t)option(argc, argv, "group", 0), (uint32_t)option(argc, argv, "threshold", 100),
              (uint32_t)option(argc, argv, "size", 65536), count, read_buffer);
    else if (is(argc, argv, 1, "request") && argc > 2)
        request(argv[2], count);
    else if (is(argc, argv, 1, "create"))
        create(count);
    else if (is(argc, argv, 1, "decode") && argc > 2)
        decode(argv[2], loops);
    else {
        fprintf(stderr, "usage: see the head of mnl.c\n");
        return 2;
    }
    return 0;
}
