// Package freeport finds ports for programs of tests that cannot be told to choose one themselves, or do
// not say which.
package freeport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports are below those that systems give to connections and to who asks for any: none of them takes
// one before it is listened on.
const first, last = 20000, 30000

// given are those that this process has found before.
var given sync.Map

// Find is a port of host that was free a moment ago, another one each time.
func Find(ctx context.Context, host string) (port int, err error) {
	for range 1000 {
		port = first + rand.IntN(last-first)
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		var l net.Listener
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.Join(errors.New("there is no free port"), err)
}

// Address is host:port of one.
func Address(ctx context.Context, host string) (string, error) {
	port, err := Find(ctx, host)
	return net.JoinHostPort(host, strconv.Itoa(port)), err
}
