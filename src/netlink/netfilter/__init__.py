"""The families of NETLINK_NETFILTER: import them by name, as `from netlink.netfilter import conntrack`."""
