// The result of every Go peer, as a line of JSON, and the options of its command line.
package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
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

func option(name string, otherwise int) int {
	for _, argument := range os.Args[1:] {
		if value, found := strings.CutPrefix(argument, name+"="); found {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return otherwise
}
