/* libnftnl over libmnl, as its examples use it: the set and the chain of the table "bench".
 *
 * nftnl add count=N             elements: nftnl_set_elems_nlmsg_build_payload_iter into one batch
 * nftnl dump elements|rules     nftnl_set_elems_nlmsg_parse, nftnl_rule_nlmsg_parse; one field of each read */

#include "peer.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

enum {
    WRITE_BUFFER = 16 << 20,
    BATCH_SIZE = 64 << 20,
    LIST_SIZE = 128 * 1024, /* more than a message with a list has */
};

static struct mnl_socket *dial(void)
{
    int size = WRITE_BUFFER;
    struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        die("mnl_socket_bind");
    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return socket;
}

static void add(uint32_t count)
{
    char *batch = malloc(BATCH_SIZE), answer[MNL_SOCKET_BUFFER_SIZE];
    struct mnl_socket *socket = dial();
    struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_set_elems_iter *at;
    struct result r;
    uint32_t sequence = 0;
    size_t size = 0;
    int more, acknowledged;
    ssize_t got;

    if (!batch || !set)
        die("memory");
    nftnl_set_set_str(set, NFTNL_SET_TABLE, "bench");
    nftnl_set_set_str(set, NFTNL_SET_NAME, "s");
    begin(&r);
    for (uint32_t i = 0; i < count; i++) {
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();
        uint32_t key = htonl(0x0a000000 | ((i * 0x9e3779b1u) & 0xffffff));
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, &key, sizeof key);
        nftnl_set_elem_add(set, element);
    }
    size += nftnl_batch_begin(batch, sequence++)->nlmsg_len;
    at = nftnl_set_elems_iter_create(set);
    do {
        struct nlmsghdr *header =
            nftnl_nlmsg_build_hdr(batch + size, NFT_MSG_NEWSETELEM, NFPROTO_IPV4,
                                  (uint16_t)(NLM_F_CREATE | (sequence == 1 ? NLM_F_ACK : 0)), sequence);
        sequence++;
        more = nftnl_set_elems_nlmsg_build_payload_iter(header, at);
        size += header->nlmsg_len;
    } while (more > 0 && size < BATCH_SIZE - LIST_SIZE);
    nftnl_set_elems_iter_destroy(at);
    size += nftnl_batch_end(batch + size, sequence)->nlmsg_len;
    if (mnl_socket_sendto(socket, batch, size) < 0)
        die("mnl_socket_sendto");
    if ((got = mnl_socket_recvfrom(socket, answer, sizeof answer)) < 0)
        die("mnl_socket_recvfrom");
    acknowledged = mnl_cb_run(answer, (size_t)got, 1, mnl_socket_get_portid(socket), NULL, NULL);
    if (acknowledged < 0)
        die("batch");
    r.items = count;
    finish(&r, 1);
    nftnl_set_free(set);
    mnl_socket_close(socket);
    free(batch);
}

static int on_elements(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_set_elems_iter *at;
    struct nftnl_set_elem *element;
    if (!set || nftnl_set_elems_nlmsg_parse(header, set) < 0)
        die("nftnl_set_elems_nlmsg_parse");
    at = nftnl_set_elems_iter_create(set);
    while ((element = nftnl_set_elems_iter_next(at))) {
        uint32_t size, key;
        memcpy(&key, nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size), sizeof key);
        r->sum += ntohl(key) & 0xffffff;
        r->items++;
    }
    nftnl_set_elems_iter_destroy(at);
    nftnl_set_free(set);
    return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *header, void *data)
{
    struct result *r = data;
    struct nftnl_rule *rule = nftnl_rule_alloc();
    if (!rule || nftnl_rule_nlmsg_parse(header, rule) < 0)
        die("nftnl_rule_nlmsg_parse");
    r->sum += (long long)nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
    r->items++;
    nftnl_rule_free(rule);
    return MNL_CB_OK;
}

static void dump(int elements)
{
    char buffer[DUMP_BUFFER];
    struct mnl_socket *socket = dial();
    struct result r;
    struct nlmsghdr *header;
    uint32_t type = elements ? NFT_MSG_GETSETELEM : NFT_MSG_GETRULE;
    int more = 1;

    begin(&r);
    header = nftnl_nlmsg_build_hdr(buffer, (uint16_t)type, NFPROTO_IPV4, NLM_F_DUMP, 1);
    mnl_attr_put_strz(header, elements ? NFTA_SET_ELEM_LIST_TABLE : NFTA_RULE_TABLE, "bench");
    if (elements)
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, "s");
    if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
        die("mnl_socket_sendto");
    while (more > 0) {
        ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
        if (got < 0)
            die("mnl_socket_recvfrom");
        more = mnl_cb_run(buffer, (size_t)got, 1, mnl_socket_get_portid(socket), elements ? on_elements : on_rule, &r);
    }
    if (more < 0)
        die("dump");
    finish(&r, 1);
    mnl_socket_close(socket);
}

int main(int argc, char **argv)
{
    if (is(argc, argv, 1, "add"))
        add((uint32_t)option(argc, argv, "count", 0));
    else if (is(argc, argv, 1, "dump"))
        dump(is(argc, argv, 2, "elements"));
    else {
        fprintf(stderr, "usage: see the head of nftnl.c\n");
        return 2;
    }
    return 0;
}
