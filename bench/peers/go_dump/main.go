// Command go_dump dumps the conntrack table with github.com/mdlayher/netlink and counts the messages.
//
// go_dump execute: one Conn.Execute, timed whole. go_dump receive: Send, then a timed Receive.
// Prints JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	netfilter = 12       // NETLINK_NETFILTER
	ctGet     = 1<<8 | 1 // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
)

type result struct {
	Seconds  float64 `json:"seconds"`
	User     float64 `json:"user"`
	Sys      float64 `json:"sys"`
	Messages int     `json:"messages"`
	MaxRSS   int64   `json:"max_rss_kib"`
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func run(mode string) (result, error) {
	var r result
	c, err := netlink.Dial(netfilter, nil)
	if err != nil {
		return r, err
	}
	defer c.Close()
	request := netlink.Message{
		Header: netlink.Header{Type: ctGet, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{0, 0, 0, 0}, // nfgenmsg
	}
	if mode == "receive" {
		if _, err := c.Send(request); err != nil {
			return r, err
		}
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	start := time.Now()
	var messages []netlink.Message
	if mode == "receive" {
		messages, err = c.Receive()
	} else {
		messages, err = c.Execute(request)
	}
	r.Seconds = time.Since(start).Seconds()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	r.User = seconds(after.Utime) - seconds(before.Utime)
	r.Sys = seconds(after.Stime) - seconds(before.Stime)
	r.Messages = len(messages)
	r.MaxRSS = after.Maxrss
	return r, err
}

func main() {
	if len(os.Args) != 2 || (os.Args[1] != "execute" && os.Args[1] != "receive") {
		fmt.Fprintln(os.Stderr, "usage: go_dump execute|receive")
		os.Exit(2)
	}
	r, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_dump:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(r)
}
