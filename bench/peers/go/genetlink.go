// Command genetlink is github.com/mdlayher/genetlink, as its documentation uses it: the family "nlctrl", from its name.
//
//	genetlink family|execute count=N
//
// GetFamily and two fields read, or Execute: messages that are not looked at.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

const (
	name       = "nlctrl"
	controller = 16 // GENL_ID_CTRL
	getFamily  = 3  // CTRL_CMD_GETFAMILY
	familyName = 2  // CTRL_ATTR_FAMILY_NAME
)

func families(c *genetlink.Conn, r *result, count int) error {
	for ; r.Items < count; r.Items++ {
		family, err := c.GetFamily(name)
		if err != nil {
			return err
		}
		r.Sum += int64(family.ID) + int64(family.Version)
	}
	return nil
}

func execute(c *genetlink.Conn, r *result, count int) error {
	ae := netlink.NewAttributeEncoder()
	ae.String(familyName, name)
	data, err := ae.Encode()
	if err != nil {
		return err
	}
	m := genetlink.Message{Header: genetlink.Header{Command: getFamily, Version: 1}, Data: data}
	for ; r.Items < count; r.Items++ {
		if _, err := c.Execute(m, controller, netlink.Request); err != nil {
			return err
		}
	}
	return nil
}

func run() error {
	if len(os.Args) < 3 {
		return errors.New("usage: see the head of genetlink.go")
	}
	count := option("count", 0)
	c, err := genetlink.Dial(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	var r result
	r.begin()
	work := execute
	if os.Args[1] == "family" {
		work = families
	}
	if err := work(c, &r, count); err != nil {
		return err
	}
	r.finish(1)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "genetlink:", err)
		os.Exit(1)
	}
}
