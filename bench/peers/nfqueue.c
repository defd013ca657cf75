/* libnetfilter_queue: nfq_handle_packet and a callback that reads three fields of every packet.
 *
 * nfqueue recv|each|batch queue=N count=N [read_buffer=B]
 *     no verdicts, nfq_set_verdict of each packet, or nfq_set_verdict_batch of 64 */

#include "peer.h"

#include <arpa/inet.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>

enum { IN_A_BATCH = 64 };

static char buffer[PACKET_BUFFER];
static int each, batch;
static long long count;

static int on_packet(struct nfq_q_handle *queue, struct nfgenmsg *header, struct nfq_data *packet, void *data)
{
    struct result *r = data;
    struct nfqnl_msg_packet_hdr *about = nfq_get_msg_packet_hdr(packet);
    unsigned char *payload;
    (void)header;
    r->sum += nfq_get_payload(packet, &payload);
    r->sum += nfq_get_nfmark(packet);
    r->sum += about->hook;
    r->items++;
    if (each)
        return nfq_set_verdict(queue, ntohl(about->packet_id), NF_ACCEPT, 0, NULL);
    if (batch && (r->items % IN_A_BATCH == 0 || r->items == count))
        return nfq_set_verdict_batch(queue, ntohl(about->packet_id), NF_ACCEPT);
    return 0;
}

int main(int argc, char **argv)
{
    struct result r;
    struct nfq_handle *h = nfq_open();
    struct nfq_q_handle *queue;
    int fd;

    count = option(argc, argv, "count", 0);
    each = is(argc, argv, 1, "each");
    batch = is(argc, argv, 1, "batch");
    if (!each && !batch && !is(argc, argv, 1, "recv")) {
        fprintf(stderr, "usage: see the head of nfqueue.c\n");
        return 2;
    }
    if (!h || !(queue = nfq_create_queue(h, (uint16_t)option(argc, argv, "queue", 0), on_packet, &r)))
        die("nfq_create_queue");
    if (nfq_set_mode(queue, NFQNL_COPY_PACKET, 0xffff) < 0 || nfq_set_queue_maxlen(queue, (uint32_t)count) < 0 ||
        nfq_set_queue_flags(queue, NFQA_CFG_F_GSO, NFQA_CFG_F_GSO) < 0)
        die("nfq_set");
    fd = nfq_fd(h);
    set_read_buffer(fd, option(argc, argv, "read_buffer", 0));
    await_backlog();
    begin(&r);
    while (r.items < count) {
        ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0)
            nfq_handle_packet(h, buffer, (int)n);
        else if (!readable(fd))
            break;
    }
    r.lost = drops(fd);
    finish(&r, 1);
    return 0;
}
