package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/image/artifact"

	"krt.dev/kn-krt/pkg/dashboard/promql"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

const (
	// maxUsers is how many users are served at a time: each has watches of their own.
	maxUsers = 100
	// maxChecks is how many tokens are checked at a time.
	maxChecks = 16
	// checkTime is the default of [Config.CheckTime].
	checkTime = 30 * time.Second
	// idleTime is after how long without a page a user's watches end.
	idleTime = 10 * time.Minute
)

// users are those whose tokens the API server has accepted.
type users struct {
	// connect makes a client with a token.
	connect    func(token, namespace string) (*cluster.Client, error)
	namespaces []string
	prometheus *promql.Client
	checkTime  time.Duration
	now        func() time.Time
	// artifacts has the files of versions, for all users; nil for none.
	artifacts *artifact.Cache

	checking chan struct{}
	mu       sync.Mutex
	known    map[[sha256.Size]byte]*user
}

// user is somebody whose token is accepted, with what that one may see.
type user struct {
	name    string
	client  *cluster.Client
	source  *view.Source
	open    int       // requests and streams
	used    time.Time // when one of these ended last
	checked time.Time // when the token was accepted last
}

func newUsers(c Config, connect func(token, namespace string) (*cluster.Client, error)) *users {
	u := &users{
		connect: connect, namespaces: c.Namespaces, prometheus: c.Prometheus.Client, checkTime: cmp.Or(c.CheckTime, checkTime), now: time.Now,
		checking: make(chan struct{}, maxChecks), known: map[[sha256.Size]byte]*user{},
	}
	if len(c.Registries) > 0 {
		u.artifacts = &artifact.Cache{Pause: artifact.PagePause, Options: artifact.Options{Keychain: authn.DefaultKeychain, Only: c.Registries}}
	}
	return u
}

// errTooMany is the error when all users that can be served have pages open.
var errTooMany = errors.New("too many users have pages of this dashboard open; try again later")

// of returns the user of a token, for as long as the request lasts.
func (u *users) of(r *http.Request, token string) (*user, error) {
	key := sha256.Sum256([]byte(token))
	if known := u.take(r, key); known != nil {
		return known, nil
	}
	client, name, err := u.check(r.Context(), token)
	if err != nil {
		if isUnauthorized(err) {
			u.drop(key)
		}
		return nil, err
	}
	return u.add(r, key, client, name)
}

// take returns a user whose token was accepted a moment ago; nil if there is none.
func (u *users) take(r *http.Request, key [sha256.Size]byte) *user {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.known[key]
	if known == nil || u.now().Sub(known.checked) > u.checkTime {
		return nil
	}
	return u.hold(r, known)
}

// hold keeps a user from giving way until the request ends.
func (u *users) hold(r *http.Request, known *user) *user {
	known.open++
	context.AfterFunc(r.Context(), func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		known.open--
		known.used = u.now()
	})
	return known
}

// check asks the API server whose token it is.
func (u *users) check(ctx context.Context, token string) (*cluster.Client, string, error) {
	select {
	case u.checking <- struct{}{}:
		defer func() { <-u.checking }()
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	client, err := u.connect(token, "default")
	if err != nil {
		return nil, "", err
	}
	name, err := client.User(ctx)
	if err != nil {
		return nil, "", err
	}
	// A service account is asked first about the namespace that it is in.
	if account, found := strings.CutPrefix(name, "system:serviceaccount:"); found {
		namespace, _, _ := strings.Cut(account, ":")
		client = client.In(namespace)
	}
	return client, name, nil
}

// add makes a user known, or notes that the token is still accepted.
func (u *users) add(r *http.Request, key [sha256.Size]byte, client *cluster.Client, name string) (*user, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.known[key]
	if known == nil {
		if err := u.makeRoom(); err != nil {
			return nil, err
		}
		s := view.New(client, view.Options{
			Namespaces: u.namespaces, Prometheus: u.prometheus, Artifacts: u.artifacts,
			Hint:   func(namespace string, err error) string { return at(namespace).Text(err) },
			Unkept: func(v *v1alpha1.Version) string { return at(v.Namespace).Unkept(v) },
		})
		known = &user{name: name, client: client, source: s}
		u.known[key] = known
	}
	known.checked = u.now()
	return u.hold(r, known), nil
}

// at makes hints about a namespace.
func at(namespace string) hint.Place {
	return hint.Place{Program: "kn krt", Namespace: namespace, Explicit: true}
}

// makeRoom lets the user give way who has had no page open for the longest time, if there are
// too many.
func (u *users) makeRoom() error {
	if len(u.known) < maxUsers {
		return nil
	}
	var idle [sha256.Size]byte
	var oldest *user
	for key, other := range u.known {
		if other.open == 0 && (oldest == nil || other.used.Before(oldest.used)) {
			idle, oldest = key, other
		}
	}
	if oldest == nil {
		return errTooMany
	}
	delete(u.known, idle)
	go oldest.source.Close()
	return nil
}

// drop ends what a user sees.
func (u *users) drop(key [sha256.Size]byte) {
	u.mu.Lock()
	known := u.known[key]
	delete(u.known, key)
	u.mu.Unlock()
	if known != nil {
		known.source.Close()
	}
}

// sweep ends what nobody looks at any more, and what is shown to users whose tokens are not
// accepted any more, until ctx is done; then it ends all.
func (u *users) sweep(ctx context.Context) {
	tick := time.NewTicker(u.checkTime)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			u.sweepOnce(ctx)
		}
	}
	for key := range u.present() {
		u.drop(key)
	}
}

func (u *users) sweepOnce(ctx context.Context) {
	for key, known := range u.present() {
		if known.open == 0 {
			if u.now().Sub(known.used) > idleTime {
				u.drop(key)
			}
			continue
		}
		_, err := known.client.User(ctx)
		if isUnauthorized(err) {
			u.drop(key)
		}
	}
}

// present returns the users as they are now.
func (u *users) present() map[[sha256.Size]byte]user {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make(map[[sha256.Size]byte]user, len(u.known))
	for key, known := range u.known {
		all[key] = *known
	}
	return all
}

func isUnauthorized(err error) bool {
	var failed *cluster.Error
	return errors.As(err, &failed) && failed.Reason == cluster.ReasonUnauthorized
}
