/* libnetfilter_log: nflog_handle_packet and a callback that reads four fields of every packet.
 *
 * nflog nflog group=N count=N threshold=N size=N [read_buffer=B] */

#include "peer.h"

#include <arpa/inet.h>
#include <libnetfilter_log/libnetfilter_log.h>

static char buffer[LOG_BUFFER];

static int on_packet(struct nflog_g_handle *group, struct nfgenmsg *header, struct nflog_data *packet, void *data)
{
    struct result *r = data;
    char *payload, *prefix = nflog_get_prefix(packet);
    (void)group;
    (void)header;
    r->sum += nflog_get_payload(packet, &payload);
    r->sum += prefix ? (long long)strlen(prefix) : 0;
    r->sum += nflog_get_nfmark(packet);
    r->sum += nflog_get_outdev(packet);
    r->items++;
    return 0;
}

int main(int argc, char **argv)
{
    struct result r;
    struct nflog_handle *h = nflog_open();
    struct nflog_g_handle *group;
    long long count = option(argc, argv, "count", 0);
    int fd;

    if (!is(argc, argv, 1, "nflog")) {
        fprintf(stderr, "usage: see the head of nflog.c\n");
        return 2;
    }
    if (!h || !(group = nflog_bind_group(h, (uint16_t)option(argc, argv, "group", 0))))
        die("nflog_bind_group");
    if (nflog_set_mode(group, NFULNL_COPY_PACKET, 0xffff) < 0 ||
        nflog_set_nlbufsiz(group, (uint32_t)option(argc, argv, "size", 65536)) < 0 ||
        nflog_set_timeout(group, 10) < 0 ||
        nflog_set_qthresh(group, (uint32_t)option(argc, argv, "threshold", 100)) < 0 ||
        nflog_set_flags(group, NFULNL_CFG_F_SEQ) < 0)
        die("nflog_set");
    nflog_callback_register(group, on_packet, &r);
    fd = nflog_fd(h);
    set_read_buffer(fd, option(argc, argv, "read_buffer", 0));
    await_backlog();
    begin(&r);
    while (r.items < count) {
        ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0)
            nflog_handle_packet(h, buffer, (int)n);
        else if (!readable(fd))
            break;
    }
    r.lost = drops(fd);
    finish(&r, 1);
    return 0;
}
