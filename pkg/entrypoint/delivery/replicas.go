package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
)

const (
	// absentAfter is how many tries to connect to a replica must have failed, without a response in between.
	absentAfter = 4
	// absentPause is how long none is made then; after it one is, and the others are not meanwhile.
	absentPause = time.Second
	// maxAbsent bounds the replicas that are known to be absent: what is older is forgotten.
	maxAbsent = 100
)

// replicas are the other entrypoints of a version, to which is forwarded what belongs to their requests. The address
// of one that has died may respond with nothing at all: if each reply for it waited until that is certain, who
// delivers them, such as a channel with few workers, would be held up for as long as replies for it come.
type replicas struct {
	*http.Transport // for streams

	mu     sync.Mutex
	absent map[string]*absence // by host
}

// absence is of a replica that has accepted no connection.
type absence struct {
	failures int
	until    time.Time // no try is made before
}

// newReplicas returns the ways to other replicas. Each stream has a connection of its own: one that is closed
// meanwhile could not be sent again.
func newReplicas() *replicas {
	dialer := net.Dialer{Timeout: time.Second}
	return &replicas{
		absent: map[string]*absence{},
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			ExpectContinueTimeout: continueTime,
		},
	}
}

// reach calls post, which posts to the replica at host. The error is [ErrNotSent] if no connection could be made, or
// none is tried now because the ones before failed. Where a connection is refused, nobody is held up, and whoever is
// about to listen there, as a container that is started again does, is tried at once. A connection that breaks says
// nothing: it may be one of a machine that is lost.
func (r *replicas) reach(ctx context.Context, host string, post func() error) error {
	if !r.due(host) {
		return fmt.Errorf("%w: nor did it before", ErrNotSent)
	}
	err := post()
	failed := httpclient.DialFailed(err)
	if failed && ctx.Err() != nil { // not because of the replica
		return err
	}
	switch {
	case err == nil, errors.As(err, new(*responseError)), errors.Is(err, syscall.ECONNREFUSED):
		r.tried(host, false)
	case failed:
		r.tried(host, true)
	}
	if failed {
		err = fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return err
}

// due reports whether a connection to host is to be tried.
func (r *replicas) due(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, now := r.absent[host], time.Now()
	switch {
	case known == nil || known.failures < absentAfter:
		return true
	case now.Before(known.until):
		return false
	}
	known.until = now.Add(absentPause)
	return true
}

// tried notes whether host has accepted no connection.
func (r *replicas) tried(host string, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.absent[host]
	switch {
	case !failed:
		delete(r.absent, host)
		return
	case known == nil:
		if len(r.absent) >= maxAbsent {
			clear(r.absent)
		}
		known = &absence{}
		r.absent[host] = known
	}
	known.failures++
	known.until = time.Now().Add(absentPause)
}
