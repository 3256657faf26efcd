package authentication

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchInterval is how often the keys of an issuer are fetched.
	fetchInterval = 5 * time.Minute
	// fetchPause is the least time between two fetches, whatever clients send.
	fetchPause = 10 * time.Second
	// maxWaiting is how many requests may wait for the keys of an issuer.
	maxWaiting = 256
)

// issuer is an Issuer and its keys.
type issuer struct {
	Issuer
	log    *slog.Logger
	client *http.Client
	set    atomic.Pointer[keySet] // nil: they could not be fetched yet
	// pause is the least time between two fetches.
	pause time.Duration

	mu      sync.Mutex
	fetched time.Time     // when the last fetch ended
	flight  chan struct{} // closed when the fetch that runs has ended; nil if none runs
	waiting int
}

func newIssuer(c Issuer, log *slog.Logger) (*issuer, error) {
	i := &issuer{Issuer: c, log: log, pause: fetchPause}
	if c.Issuer == "" || len(c.Audiences) == 0 {
		return nil, errors.New("an issuer needs its URL and at least one audience")
	}
	var err error
	switch {
	case c.JWKS != "":
		set, err := readKeySet(c.JWKS)
		if err != nil {
			return nil, err
		}
		i.set.Store(set)
		return i, nil
	case c.JWKSURL != "":
		err = checkURL("jwksURL", c.JWKSURL)
	default:
		err = checkURL("issuer", c.Issuer)
	}
	if err == nil {
		i.client, err = newClient(c.CA)
	}
	return i, err
}

// watch fetches the keys now and from time to time, until ctx is done. If that fails, the last
// ones stay.
func (i *issuer) watch(ctx context.Context) {
	if i.JWKS != "" {
		return
	}
	for {
		if done := i.fetch(); done != nil {
			select {
			case <-done:
			case <-ctx.Done():
				return
			}
		}
		next := fetchInterval
		if i.set.Load() == nil {
			next = i.pause
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// fetch begins to fetch the keys, unless that has begun. It returns what is closed when they have
// come, or have not; nil if they were fetched just now.
func (i *issuer) fetch() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.JWKS != "":
		return nil
	case i.flight != nil:
		return i.flight
	case !i.fetched.IsZero() && time.Since(i.fetched) < i.pause:
		return nil
	}
	done := make(chan struct{})
	i.flight = done
	go func() { // ends: fetching has a limit of its own
		defer close(done)
		if err := i.renew(); err != nil {
			i.log.Warn("cannot fetch the keys of an issuer", "issuer", i.Issuer.Issuer, "error", err, "kept", i.set.Load() != nil)
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.flight, i.fetched = nil, time.Now()
	}()
	return done
}

// renew fetches the keys. The old ones stay if they have not changed, and with them what has been
// verified.
func (i *issuer) renew() error {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	text, err := i.download(ctx)
	if err != nil {
		return err
	}
	if old := i.set.Load(); old != nil && old.text == text {
		return nil
	}
	set, err := readKeySet(text)
	if err != nil {
		return err
	}
	i.set.Store(set)
	return nil
}

// key returns the key with which a token of the header is signed, and the set that has it. A key
// that is not known may be a new one, so the keys are fetched then, if they have not been just now.
func (i *issuer) key(ctx context.Context, header jose.Header) (*keySet, *jose.JSONWebKey, *Refusal) {
	set := i.set.Load()
	if set != nil {
		if key := set.find(header); key != nil {
			return set, key, nil
		}
	}
	if done := i.fetch(); done != nil {
		if !i.wait(ctx, done) {
			return nil, nil, &Refusal{Text: "the keys of the token's issuer are being fetched; try again later", Retry: true}
		}
		set = i.set.Load()
	}
	if set == nil {
		return nil, nil, &Refusal{Text: "the keys of the token's issuer cannot be fetched; try again later", Retry: true}
	}
	if key := set.find(header); key != nil {
		return set, key, nil
	}
	return nil, nil, refused("the token is not signed by a key of its issuer")
}

// wait waits until done is closed. It returns false if ctx is done before, or too many wait.
func (i *issuer) wait(ctx context.Context, done <-chan struct{}) bool {
	i.mu.Lock()
	full := i.waiting >= maxWaiting
	if !full {
		i.waiting++
	}
	i.mu.Unlock()
	if full {
		return false
	}
	defer func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.waiting--
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
