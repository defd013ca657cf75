/* libnetfilter_conntrack: nfct_query and nfct_catch with a callback (query), or nfct_nlmsg_parse over libmnl as its
 * newer examples do (parse). Three attributes of every flow are read.
 *
 * nfct dump query|parse [loops=N]
 * nfct events query|parse count=N [seconds=S] [read_buffer=B]
 * nfct decode FILE [loops=N]                messages of conntrack, one behind the other */

#include "peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnfnetlink/libnfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

static char buffer[DUMP_BUFFER];

static void read_fields(const struct nf_conntrack *ct, struct result *r)
{
    r->sum += ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC));
    r->sum += nfct_get_attr_u32(ct, ATTR_STATUS);
    r->sum += nfct_get_attr_u32(ct, ATTR_MARK);
    r->items++;
}

static int on_flow(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
    (void)type;
    read_fields(ct, data);
    return NFCT_CB_CONTINUE;
}

static int on_message(const struct nlmsghdr *header, void *data)
{
    struct nf_conntrack *ct = nfct_new();
    if (!ct)
        die("nfct_new");
    nfct_nlmsg_parse(header, ct);
    read_fields(ct, data);
    nfct_destroy(ct);
    return MNL_CB_OK;
}

static void dump_query(long long loops)
{
    struct result r;
    uint32_t family = AF_UNSPEC;
    struct nfct_handle *h = nfct_open(CONNTRACK, 0);
    if (!h)
        die("nfct_open");
    nfnl_set_rcv_buffer_size((struct nfnl_handle *)nfct_nfnlh(h), DUMP_BUFFER);
    nfct_callback_register(h, NFCT_T_ALL, on_flow, &r);
    begin(&r);
    for (long long i = 0; i < loops; i++)
        if (nfct_query(h, NFCT_Q_DUMP, &family) < 0)
            die("nfct_query");
    finish(&r, loops);
}

static struct mnl_socket *dial(unsigned groups)
{
    struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
    if (!nl || mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) < 0)
        die("mnl_socket_open");
    return nl;
}

static void dump_parse(long long loops)
{
    struct result r;
    struct mnl_socket *nl = dial(0);
    unsigned portid = mnl_socket_get_portid(nl);

    begin(&r);
    for (unsigned seq = 1; seq <= loops; seq++) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        ssize_t n;
        header->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        header->nlmsg_seq = seq;
        mnl_nlmsg_put_extra_header(header, sizeof(struct nfgenmsg));
        if (mnl_socket_sendto(nl, header, header->nlmsg_len) < 0)
            die("mnl_socket_sendto");
        while ((n = mnl_socket_recvfrom(nl, buffer, sizeof buffer)) > 0)
            if ((n = mnl_cb_run(buffer, (size_t)n, seq, portid, on_message, &r)) <= MNL_CB_STOP)
                break;
        if (n < 0)
            die("dump");
    }
    finish(&r, loops);
}

static void set_up(int fd, long long read_buffer)
{
    int yes = 1;
    set_read_buffer(fd, read_buffer);
    if (setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes) < 0)
        die("NETLINK_NO_ENOBUFS");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        die("O_NONBLOCK");
}

static void events_query(long long count, double seconds, long long read_buffer)
{
    struct result r;
    struct nfct_handle *h = nfct_open(CONNTRACK, NFCT_ALL_CT_GROUPS);
    double end;

    if (!h)
        die("nfct_open");
    nfct_callback_register(h, NFCT_T_ALL, on_flow, &r);
    set_up(nfct_fd(h), read_buffer);
    await_backlog();
    begin(&r);
    end = r.start + seconds;
    while (seconds ? now() < end : r.items < count) {
        if (seconds)
            readable(nfct_fd(h));
        /* It reads on until the socket has nothing left, and fails then. */
        if (nfct_catch(h) < 0 && r.items < count && !readable(nfct_fd(h)) && !seconds)
            break;
    }
    r.lost = drops(nfct_fd(h));
    finish(&r, 1);
}

static void events_parse(long long count, double seconds, long long read_buffer)
{
    struct result r;
    struct mnl_socket *nl = dial(NFCT_ALL_CT_GROUPS);
    int fd = mnl_socket_get_fd(nl);
    double end;

    set_up(fd, read_buffer);
    await_backlog();
    begin(&r);
    end = r.start + seconds;
    while (seconds ? now() < end : r.items < count) {
        ssize_t n = mnl_socket_recvfrom(nl, buffer, EVENT_BUFFER);
        if (n > 0)
            mnl_cb_run(buffer, (size_t)n, 0, 0, on_message, &r);
        else if (!readable(fd) && !seconds)
            break;
    }
    r.lost = drops(fd);
    finish(&r, 1);
}

static void decode(const char *path, long long loops)
{
    struct result r;
    size_t size;
    char *messages = read_file(path, &size);

    begin(&r);
    for (long long i = 0; i < loops; i++)
        if (mnl_cb_run(messages, size, 0, 0, on_message, &r) < 0)
            die("mnl_cb_run");
    finish(&r, loops);
    free(messages);
}

int main(int argc, char **argv)
{
    long long count = option(argc, argv, "count", 0), loops = option(argc, argv, "loops", 1);
    long long read_buffer = option(argc, argv, "read_buffer", 0);
    double seconds = (double)option(argc, argv, "seconds", 0);
    int parse = is(argc, argv, 2, "parse");

    if (is(argc, argv, 1, "dump"))
        (parse ? dump_parse : dump_query)(loops);
    else if (is(argc, argv, 1, "events"))
        (parse ? events_parse : events_query)(count, seconds, read_buffer);
    else if (is(argc, argv, 1, "decode") && argc > 2)
        decode(argv[2], loops);
    else {
        fprintf(stderr, "usage: see the head of nfct.c\n");
        return 2;
    }
    return 0;
}
