// Command nfqueue is github.com/florianl/go-nfqueue, as its documentation uses it: a callback that reads three fields
// of every packet.
//
//	nfqueue recv|each|batch queue=N count=N [read_buffer=B]
//
// No verdicts, SetVerdict of each packet, or SetVerdictBatch of 64.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/florianl/go-nfqueue"
)

const inABatch = 64

func (r *result) read(a nfqueue.Attribute) {
	r.Sum += int64(len(*a.Payload)) + int64(*a.Hook)
	if a.Mark != nil {
		r.Sum += int64(*a.Mark)
	}
	r.Items++
}

func run(how string, count int) error {
	nf, err := nfqueue.Open(&nfqueue.Config{
		NfQueue:      uint16(option("queue", 0)),
		MaxPacketLen: 0xffff,
		MaxQueueLen:  uint32(count),
		Copymode:     nfqueue.NfQnlCopyPacket,
		Flags:        nfqueue.NfQaCfgFlagGSO,
	})
	if err != nil {
		return err
	}
	defer nf.Con.Close()
	raw, err := nf.Con.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	if err := raw.Control(func(fd uintptr) {
		refused = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 33 /* SO_RCVBUFFORCE */, option("read_buffer", 0))
	}); err != nil || refused != nil {
		return errors.Join(err, refused)
	}

	var r result
	// It receives from now on: the first packet waits here for the clock.
	started, done := make(chan struct{}), make(chan error, 1)
	onPacket := func(a nfqueue.Attribute) int {
		<-started
		r.read(a)
		var err error
		if how == "each" {
			err = nf.SetVerdict(*a.PacketID, nfqueue.NfAccept)
		} else if how == "batch" && (r.Items%inABatch == 0 || r.Items == count) {
			err = nf.SetVerdictBatch(*a.PacketID, nfqueue.NfAccept)
		}
		if err != nil || r.Items == count {
			done <- err
			return 1
		}
		return 0
	}
	onError := func(err error) int {
		done <- err
		return 1
	}
	if err := nf.RegisterWithErrorFunc(context.Background(), onPacket, onError); err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	r.begin()
	close(started)
	if err := <-done; err != nil {
		return err
	}
	r.finish(1)
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: see the head of nfqueue.go")
		os.Exit(2)
	}
	if err := run(os.Args[1], option("count", 0)); err != nil {
		fmt.Fprintln(os.Stderr, "nfqueue:", err)
		os.Exit(1)
	}
}
