// Command jsimonetti is github.com/jsimonetti/rtnetlink, as its documentation uses it. Three fields are read.
//
//	jsimonetti dump route|neigh|link [loops=N]    Route.List, Neigh.List, Link.List
//	jsimonetti create count=N                     Route.Add
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/jsimonetti/rtnetlink"
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

func (r *result) dump(c *rtnetlink.Conn, what string) error {
	switch what {
	case "route":
		routes, err := c.Route.List()
		if err != nil {
			return err
		}
		for _, route := range routes {
			if route.Family == syscall.AF_INET { // it asks for all of them
				r.Sum += int64(route.DstLength) + low(route.Attributes.Dst) + int64(route.Attributes.OutIface)
				r.Items++
			}
		}
	case "neigh":
		neighbours, err := c.Neigh.List()
		if err != nil {
			return err
		}
		for _, neighbour := range neighbours {
			if neighbour.Family == syscall.AF_INET {
				r.Sum += int64(neighbour.Index) + int64(neighbour.State) + low(neighbour.Attributes.Address)
				r.Items++
			}
		}
	case "link":
		links, err := c.Link.List()
		if err != nil {
			return err
		}
		for _, link := range links {
			r.Sum += int64(link.Index) + int64(link.Attributes.MTU) + int64(len(link.Attributes.Name))
		}
		r.Items += len(links)
	}
	return nil
}

func (r *result) create(c *rtnetlink.Conn, count int) error {
	for ; r.Items < count; r.Items++ {
		ip := make(net.IP, 4)
		binary.BigEndian.PutUint32(ip, uint32(firstRoute+r.Items))
		err := c.Route.Add(&rtnetlink.RouteMessage{
			Family:     syscall.AF_INET,
			DstLength:  32,
			Table:      254, // RT_TABLE_MAIN
			Protocol:   4,   // RTPROT_STATIC
			Scope:      253, // RT_SCOPE_LINK
			Type:       1,   // RTN_UNICAST
			Attributes: rtnetlink.RouteAttributes{Dst: ip, OutIface: loopback},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func run() error {
	if len(os.Args) < 3 {
		return errors.New("usage: see the head of jsimonetti.go")
	}
	loops, count := option("loops", 1), option("count", 0)
	var r result
	c, err := rtnetlink.Dial(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	r.begin()
	switch os.Args[1] {
	case "dump":
		for i := 0; i < loops && err == nil; i++ {
			err = r.dump(c, os.Args[2])
		}
	case "create":
		err = r.create(c, count)
	default:
		err = errors.New("usage: see the head of jsimonetti.go")
	}
	if err == nil {
		r.finish(loops)
	}
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "jsimonetti:", err)
		os.Exit(1)
	}
}
