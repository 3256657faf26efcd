package service

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/store"
)

const (
	defaultRequests  = 64
	defaultPerSecond = 2000
	defaultBytes     = 192 << 20

	// shares is into how many parts Bytes is divided: a version may hold one.
	shares = 4
	// waiting is how long a request may wait for room. Nodes wait for 3 s and more.
	waiting = 250 * time.Millisecond
	// leastBytes is what a request holds at least, and resultBytes what a response has, but for
	// one entry that is larger: the rest is in the next page.
	leastBytes, resultBytes = 16 << 10, 4 << 20
	// manyVersions is how many versions are known before idle ones are forgotten.
	manyVersions = 1024
)

// Limits bound what one version may do, so that one that floods the store does not keep
// others from it. What is beyond them gets status 429.
type Limits struct {
	// Requests and PerSecond limit the requests of one version, at a time and per second;
	// 64 and 2,000.
	Requests, PerSecond int
	// Bytes limits what requests and responses hold in memory; 192 MiB. A version may hold
	// a quarter of it.
	Bytes int64
}

func (l Limits) withDefaults() Limits {
	l.Requests, l.PerSecond = cmp.Or(l.Requests, defaultRequests), cmp.Or(l.PerSecond, defaultPerSecond)
	l.Bytes = cmp.Or(l.Bytes, defaultBytes)
	return l
}

func (l Limits) check() error {
	if l.Requests < 1 || l.PerSecond < 1 || l.Bytes < shares*maxBodyBytes {
		return fmt.Errorf("the limits must be at least 1 request, 1 per second and %d bytes", shares*maxBodyBytes)
	}
	return nil
}

// limiter admits requests within [Limits].
type limiter struct {
	limits Limits
	bytes  *semaphore.Weighted // of all versions

	mu       sync.Mutex
	versions map[credential.Holder]*version
}

// version is what a version uses of its limits.
type version struct {
	requests, bytes *semaphore.Weighted
	rate            *rate.Limiter
	inFlight        int // requests that are or wait to be admitted
}

func newLimiter(l Limits) *limiter {
	return &limiter{limits: l, bytes: semaphore.NewWeighted(l.Bytes), versions: map[credential.Holder]*version{}}
}

// errLimited is the response to a version that does too much.
func errLimited(what string) error {
	return &store.Problem{Status: http.StatusTooManyRequests, Text: "too many " + what + ": send it again later"}
}

// held is what one request holds, until it is released.
type held struct {
	limiter *limiter
	version *version
	bytes   int64
}

// admit waits until a request that holds n bytes has room. The error is a response.
func (l *limiter) admit(ctx context.Context, of credential.Holder, n int64) (h *held, err error) {
	v := l.enter(of)
	defer func() {
		if err != nil {
			l.leave(v)
		}
	}()
	if !v.rate.Allow() {
		return nil, errLimited("requests of this version per second")
	}
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	if v.requests.Acquire(ctx, 1) != nil {
		return nil, errLimited("requests of this version at a time")
	}
	h = &held{limiter: l, version: v}
	if err := h.grow(ctx, n); err != nil {
		v.requests.Release(1)
		return nil, err
	}
	return h, nil
}

// grow waits until the request has room for n more bytes. One that could never have it has
// all that a version may hold.
func (h *held) grow(ctx context.Context, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	if n = min(n, h.limiter.limits.Bytes/shares-h.bytes); n <= 0 {
		return nil
	}
	if h.version.bytes.Acquire(ctx, n) != nil {
		return errLimited("large requests of this version at a time")
	}
	if h.limiter.bytes.Acquire(ctx, n) != nil {
		h.version.bytes.Release(n)
		return errLimited("large requests of all versions at a time")
	}
	h.bytes += n
	return nil
}

// release is called once, when the request has ended.
func (h *held) release() {
	h.limiter.bytes.Release(h.bytes)
	h.version.bytes.Release(h.bytes)
	h.version.requests.Release(1)
	h.limiter.leave(h.version)
}

type heldKey struct{}

// hold lets the request of ctx grow by n bytes.
func hold(ctx context.Context, n int64) error {
	if h, ok := ctx.Value(heldKey{}).(*held); ok {
		return h.grow(ctx, n)
	}
	return nil
}

// enter returns what a version uses, and counts one more request: nodes and entrypoint share it, its owner's requests are
// counted on their own.
func (l *limiter) enter(h credential.Holder) *version {
	if h.Role != credential.Owner {
		h.Role = credential.Node
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.versions[h]
	if v == nil {
		if len(l.versions) >= manyVersions {
			maps.DeleteFunc(l.versions, func(_ credential.Holder, v *version) bool { return v.inFlight == 0 })
		}
		v = &version{
			requests: semaphore.NewWeighted(int64(l.limits.Requests)),
			bytes:    semaphore.NewWeighted(l.limits.Bytes / shares),
			rate:     rate.NewLimiter(rate.Limit(l.limits.PerSecond), l.limits.PerSecond),
		}
		l.versions[h] = v
	}
	v.inFlight++
	return v
}

func (l *limiter) leave(v *version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.inFlight--
}

// weight is how many bytes a request holds: its body, as far as that is known, and its
// response if it reads.
func weight(r *http.Request, reads bool) int64 {
	n := r.ContentLength
	if n < 0 {
		n = maxBodyBytes
	}
	// A body is held as text and decoded.
	n = leastBytes + 2*min(n, maxBodyBytes)
	if reads {
		n += resultBytes
	}
	return n
}
