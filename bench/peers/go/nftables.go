// Command nftables is github.com/google/nftables, as its documentation uses it: the set and the chain of the table
// "bench".
//
//	nftables add count=N           SetAddElements, so many as a message holds, and Flush for each few messages
//	nftables load count=N          AddRule, and Flush for each few
//	nftables dump elements|rules   GetSetElements, GetRules
package main

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

const (
	inMessage = 3000 // elements: their list has no more room
	inFlush   = 2    // messages: the write buffer has no more room
	rules     = 100  // of a Flush
	protoTCP  = 6
)

func address(i int) []byte {
	key := make([]byte, 4)
	binary.BigEndian.PutUint32(key, 0x0a000000|uint32(i)*0x9e3779b1&0xffffff)
	return key
}

func rule(table *nftables.Table, chain *nftables.Chain, i int) *nftables.Rule {
	port := []byte{byte((1 + i) >> 8), byte(1 + i)}
	return &nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address(i)},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protoTCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: port},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictAccept},
	}}
}

func run() error {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseLasting() }()
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "bench"}
	chain := &nftables.Chain{Table: table, Name: "in"}
	set := &nftables.Set{Table: table, Name: "s", KeyType: nftables.TypeIPAddr}
	count, r := option("count", 0), result{}
	switch os.Args[1] {
	case "add":
		elements := make([]nftables.SetElement, count)
		for i := range elements {
			elements[i].Key = address(i)
		}
		r.begin()
		for at := 0; at < count; {
			for part := 0; part < inFlush && at < count; part++ {
				end := min(at+inMessage, count)
				if err := conn.SetAddElements(set, elements[at:end]); err != nil {
					return err
				}
				at = end
			}
			if err := conn.Flush(); err != nil {
				return err
			}
		}
		r.Items = count
	case "load":
		made := make([]*nftables.Rule, count)
		for i := range made {
			made[i] = rule(table, chain, i)
		}
		r.begin()
		for i, one := range made {
			conn.AddRule(one)
			if (i+1)%rules == 0 || i+1 == count {
				if err := conn.Flush(); err != nil {
					return err
				}
			}
		}
		r.Items = count
	case "dump":
		r.begin()
		if os.Args[2] == "elements" {
			elements, err := conn.GetSetElements(set)
			if err != nil {
				return err
			}
			for _, one := range elements {
				r.Sum += int64(binary.BigEndian.Uint32(one.Key) & 0xffffff)
			}
			r.Items = len(elements)
		} else {
			found, err := conn.GetRules(table, chain)
			if err != nil {
				return err
			}
			for _, one := range found {
				r.Sum += int64(one.Handle)
			}
			r.Items = len(found)
		}
	}
	r.finish(1)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
