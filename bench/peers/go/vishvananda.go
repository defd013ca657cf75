// Command vishvananda is github.com/vishvananda/netlink, as its documentation uses it. Three fields are read.
//
//	vishvananda dump route|neigh|link|tcp [loops=N]
//	    RouteListFiltered of all tables, NeighList, LinkList, SocketDiagTCPInfo
//	vishvananda create count=N                     RouteAdd
//	vishvananda get count=N                        LinkByName of v0
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
)

const (
	firstRoute = 0x0a000001
	loopback   = 1
)

func low(ip net.IP) int64 {
	if v4 := ip.To4(); v4 != nil {
		return int64(binary.BigEndian.Uint32(v4) & 0xffffff)
	}
	return 0
}

func (r *result) dump(what string) error {
	switch what {
	case "route":
		all := &netlink.Route{Table: 0} // RT_TABLE_UNSPEC: without it those of the table main alone
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, all, netlink.RT_FILTER_TABLE)
		if err != nil {
			return err
		}
		for _, route := range routes {
			if route.Dst != nil {
				length, _ := route.Dst.Mask.Size()
				r.Sum += int64(length) + low(route.Dst.IP)
			}
			r.Sum += int64(route.LinkIndex)
		}
		r.Items += len(routes)
	case "neigh":
		neighbours, err := netlink.NeighList(0, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, neighbour := range neighbours {
			r.Sum += int64(neighbour.LinkIndex) + int64(neighbour.State) + low(neighbour.IP)
		}
		r.Items += len(neighbours)
	case "link":
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, link := range links {
			attrs := link.Attrs()
			r.Sum += int64(attrs.Index) + int64(attrs.MTU) + int64(len(attrs.Name))
		}
		r.Items += len(links)
	case "tcp":
		sockets, err := netlink.SocketDiagTCPInfo(netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, socket := range sockets {
			r.Sum += int64(socket.InetDiagMsg.ID.SourcePort) + int64(socket.InetDiagMsg.INode)
			r.Sum += int64(socket.TCPInfo.Bytes_acked)
		}
		r.Items += len(sockets)
	}
	return nil
}

func (r *result) create(count int) error {
	for ; r.Items < count; r.Items++ {
		ip := make(net.IP, 4)
		binary.BigEndian.PutUint32(ip, uint32(firstRoute+r.Items))
		route := &netlink.Route{
			Dst:       &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)},
			LinkIndex: loopback,
			Scope:     netlink.SCOPE_LINK,
		}
		if err := netlink.RouteAdd(route); err != nil {
			return err
		}
	}
	return nil
}

func (r *result) get(count int) error {
	for ; r.Items < count; r.Items++ {
		if _, err := netlink.LinkByName("v0"); err != nil {
			return err
		}
	}
	return nil
}

func run() error {
	if len(os.Args) < 3 {
		return errors.New("usage: see the head of vishvananda.go")
	}
	loops, count := option("loops", 1), option("count", 0)
	var r result
	var err error
	r.begin()
	switch os.Args[1] {
	case "dump":
		for i := 0; i < loops && err == nil; i++ {
			err = r.dump(os.Args[2])
		}
	case "create":
		err = r.create(count)
	case "get":
		err = r.get(count)
	default:
		err = errors.New("usage: see the head of vishvananda.go")
	}
	if err == nil {
		r.finish(loops)
	}
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vishvananda:", err)
		os.Exit(1)
	}
}
