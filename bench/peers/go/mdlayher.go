// Command go is github.com/mdlayher/netlink, as its documentation uses it: raw messages, or flows that an
// AttributeDecoder takes apart into structs, of which three fields are read.
//
//	go dump conntrack|flows|route [loops=N]    Conn.Execute
//	go events conntrack|flows count=N [seconds=S] [read_buffer=B]    Conn.Receive
//	go request noop|getlink count=N            Conn.Execute
//	go decode FILE [loops=N]                   messages of conntrack, one behind the other
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
)

const (
	route     = 0        // NETLINK_ROUTE
	netfilter = 12       // NETLINK_NETFILTER
	ctGet     = 1<<8 | 1 // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
	getLink   = 18       // RTM_GETLINK
	getRoute  = 26       // RTM_GETROUTE
)

type tuple struct {
	src, dst         netip.Addr
	proto            uint8
	srcPort, dstPort uint16
}

type counters struct{ packets, bytes uint64 }

type flow struct {
	orig, reply                       tuple
	status, timeout, mark, use, id    uint32
	zone                              uint16
	tcpState, wscaleOrig, wscaleReply uint8
	countersOrig, countersReply       counters
	start, stop                       uint64
}

func (t *tuple) decode(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case 1: // CTA_TUPLE_IP
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					address, _ := netip.AddrFromSlice(ad.Bytes())
					switch ad.Type() {
					case 1, 3: // CTA_IP_V4_SRC, CTA_IP_V6_SRC
						t.src = address
					case 2, 4: // CTA_IP_V4_DST, CTA_IP_V6_DST
						t.dst = address
					}
				}
				return nil
			})
		case 2: // CTA_TUPLE_PROTO
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					switch ad.Type() {
					case 1: // CTA_PROTO_NUM
						t.proto = ad.Uint8()
					case 2: // CTA_PROTO_SRC_PORT
						t.srcPort = ad.Uint16()
					case 3: // CTA_PROTO_DST_PORT
						t.dstPort = ad.Uint16()
					}
				}
				return nil
			})
		}
	}
	return nil
}

func (c *counters) decode(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case 1: // CTA_COUNTERS_PACKETS
			c.packets = ad.Uint64()
		case 2: // CTA_COUNTERS_BYTES
			c.bytes = ad.Uint64()
		}
	}
	return nil
}

func (f *flow) decodeTCP(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case 1: // CTA_PROTOINFO_TCP_STATE
			f.tcpState = ad.Uint8()
		case 2: // CTA_PROTOINFO_TCP_WSCALE_ORIGINAL
			f.wscaleOrig = ad.Uint8()
		case 3: // CTA_PROTOINFO_TCP_WSCALE_REPLY
			f.wscaleReply = ad.Uint8()
		}
	}
	return nil
}

func decodeFlow(data []byte) (*flow, error) {
	ad, err := netlink.NewAttributeDecoder(data[4:]) // behind nfgenmsg
	if err != nil {
		return nil, err
	}
	ad.ByteOrder = binary.BigEndian
	f := &flow{}
	for ad.Next() {
		switch ad.Type() {
		case 1: // CTA_TUPLE_ORIG
			ad.Nested(f.orig.decode)
		case 2: // CTA_TUPLE_REPLY
			ad.Nested(f.reply.decode)
		case 3: // CTA_STATUS
			f.status = ad.Uint32()
		case 4: // CTA_PROTOINFO
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					if ad.Type() == 1 { // CTA_PROTOINFO_TCP
						ad.Nested(f.decodeTCP)
					}
				}
				return nil
			})
		case 7: // CTA_TIMEOUT
			f.timeout = ad.Uint32()
		case 8: // CTA_MARK
			f.mark = ad.Uint32()
		case 9: // CTA_COUNTERS_ORIG
			ad.Nested(f.countersOrig.decode)
		case 10: // CTA_COUNTERS_REPLY
			ad.Nested(f.countersReply.decode)
		case 11: // CTA_USE
			f.use = ad.Uint32()
		case 12: // CTA_ID
			f.id = ad.Uint32()
		case 18: // CTA_ZONE
			f.zone = ad.Uint16()
		case 20: // CTA_TIMESTAMP
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					switch ad.Type() {
					case 1: // CTA_TIMESTAMP_START
						f.start = ad.Uint64()
					case 2: // CTA_TIMESTAMP_STOP
						f.stop = ad.Uint64()
					}
				}
				return nil
			})
		}
	}
	return f, ad.Err()
}

// flows decodes messages and keeps the flows, as a caller that returns them would.
func (r *result) flows(messages []netlink.Message) error {
	flows := make([]*flow, 0, len(messages))
	for _, m := range messages {
		f, err := decodeFlow(m.Data)
		if err != nil {
			return err
		}
		flows = append(flows, f)
	}
	for _, f := range flows {
		r.Sum += int64(f.orig.srcPort) + int64(f.status) + int64(f.mark)
	}
	return nil
}

func (r *result) routes(messages []netlink.Message) error {
	for _, m := range messages {
		ad, err := netlink.NewAttributeDecoder(m.Data[12:]) // behind rtmsg
		if err != nil {
			return err
		}
		r.Sum += int64(m.Data[1])
		for ad.Next() {
			switch ad.Type() {
			case 1: // RTA_DST
				r.Sum += int64(binary.BigEndian.Uint32(ad.Bytes()) & 0xffffff)
			case 4: // RTA_OIF
				r.Sum += int64(ad.Uint32())
			}
		}
		if err := ad.Err(); err != nil {
			return err
		}
	}
	return nil
}

func dump(what string, loops int) error {
	family, request := netfilter, netlink.Message{
		Header: netlink.Header{Type: ctGet, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{0, 0, 0, 0}, // nfgenmsg
	}
	if what == "route" {
		family, request.Header.Type, request.Data = route, getRoute, append([]byte{2}, make([]byte, 11)...)
	}
	c, err := netlink.Dial(family, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	var r result
	r.begin()
	for i := 0; i < loops; i++ {
		messages, err := c.Execute(request)
		if err != nil {
			return err
		}
		r.Items += len(messages)
		switch what {
		case "flows":
			err = r.flows(messages)
		case "route":
			err = r.routes(messages)
		}
		if err != nil {
			return err
		}
	}
	r.finish(loops)
	return nil
}

func events(what string, count int, duration time.Duration, readBuffer int) error {
	c, err := netlink.Dial(netfilter, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetReadBuffer(readBuffer); err != nil {
		return err
	}
	if err := c.SetOption(netlink.NoENOBUFS, true); err != nil {
		return err
	}
	for group := uint32(1); group <= 3; group++ { // NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
		if err := c.JoinGroup(group); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var r result
	r.begin()
	limit := duration
	if limit == 0 {
		limit = time.Minute
	}
	if err := c.SetReadDeadline(r.start.Add(limit)); err != nil {
		return err
	}
	for duration != 0 || r.Items < count {
		messages, err := c.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return err
		}
		r.Items += len(messages)
		if what == "flows" {
			if err := r.flows(messages); err != nil {
				return err
			}
		}
	}
	r.finish(1)
	return nil
}

func request(what string, count int) error {
	c, err := netlink.Dial(route, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	m := netlink.Message{Header: netlink.Header{Type: netlink.Noop, Flags: netlink.Request | netlink.Acknowledge}}
	if what == "getlink" {
		m.Header.Type, m.Header.Flags = getLink, netlink.Request
		m.Data = []byte{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // ifinfomsg of lo
	}
	var r result
	r.begin()
	for ; r.Items < count; r.Items++ {
		if _, err := c.Execute(m); err != nil {
			return err
		}
	}
	r.finish(1)
	return nil
}

func decode(path string, loops int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var r result
	r.begin()
	for i := 0; i < loops; i++ {
		raw, err := syscall.ParseNetlinkMessage(data) // what Conn.Receive does
		if err != nil {
			return err
		}
		messages := make([]netlink.Message, 0, len(raw))
		for _, m := range raw {
			messages = append(messages, netlink.Message{Data: m.Data})
		}
		r.Items += len(messages)
		if err := r.flows(messages); err != nil {
			return err
		}
	}
	r.finish(loops)
	return nil
}

func run() error {
	if len(os.Args) < 3 {
		return errors.New("usage: see the head of mdlayher.go")
	}
	what, count := os.Args[2], option("count", 0)
	switch os.Args[1] {
	case "dump":
		return dump(what, option("loops", 1))
	case "events":
		duration := time.Duration(option("seconds", 0)) * time.Second
		return events(what, count, duration, option("read_buffer", 1<<20))
	case "request":
		return request(what, count)
	case "decode":
		return decode(what, option("loops", 1))
	}
	return errors.New("usage: see the head of mdlayher.go")
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		os.Exit(1)
	}
}
