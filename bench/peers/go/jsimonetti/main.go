// Command jsimonetti is github.com/jsimonetti/rtnetlink, as its documentation uses it. Three fields are read.
//
//	jsimonetti dump route|neigh|link [loops=N]    Route.List, Neigh.List, Link.List
//	jsimonetti create count=N                     Route.Add
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jsimonetti/rtnetlink"
)

const (
	firstRoute = 0x0a000001
	loopback   = 1
)

type result struct {
	Seconds float64 `json:"seconds"`
	User    float64 `json:"user"`
	Sys     float64 `json:"sys"`
	Items   int     `json:"items"`
	Sum     int64   `json:"sum"`
	Lost    int     `json:"lost"`

	start  time.Time
	before syscall.Rusage
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func (r *result) begin() {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r.before)
	r.start = time.Now()
}

func (r *result) finish(loops int) {
	var after syscall.Rusage
	r.Seconds = time.Since(r.start).Seconds() / float64(loops)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	r.User = (seconds(after.Utime) - seconds(r.before.Utime)) / float64(loops)
	r.Sys = (seconds(after.Stime) - seconds(r.before.Stime)) / float64(loops)
	r.Items /= loops
	r.Sum /= int64(loops)
	_ = json.NewEncoder(os.Stdout).Encode(r)
}

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

func option(name string, otherwise int) int {
	for _, argument := range os.Args[1:] {
		if value, found := strings.CutPrefix(argument, name+"="); found {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return otherwise
}

func run() error {
	if len(os.Args) < 3 {
		return errors.New("usage: see the head of main.go")
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
		err = errors.New("usage: see the head of main.go")
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
