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
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/promql"
	"krt.dev/kn-krt/pkg/image/artifact"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

const (
	// maxUsers is how many tokens are served at a time: each has watches of its own.
	maxUsers = 100
	// maxTokens is how many of them may be of one user, who can get any number.
	maxTokens = 8
	// maxChecks is how many tokens are checked at a time that are not known, and how many that are:
	// those whom nobody knows do not hold up the others.
	maxChecks = 16
	// checkTime is the default of [Config.CheckTime].
	checkTime = 30 * time.Second
	// patience is how long the check of a token may take.
	patience = 10 * time.Second
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
	patience   time.Duration
	now        func() time.Time
	// artifacts has the files of versions, for all users; nil for none.
	artifacts *artifact.Cache

	strangers, acquaintances chan struct{} // of which tokens are checked
	mu                       sync.Mutex
	known                    map[key]*user
	closing                  sync.WaitGroup
}

// key is a token by its hash.
type key = [sha256.Size]byte

// user is somebody whose token is accepted, with what that one may see.
type user struct {
	name    string
	client  *cluster.Client
	source  *view.Source
	open    map[*http.Request]context.CancelCauseFunc // requests and streams
	used    time.Time                                 // when one of these ended last
	checked time.Time                                 // when the token was accepted last
}

func newUsers(c Config, connect func(token, namespace string) (*cluster.Client, error)) *users {
	u := &users{
		connect: connect, namespaces: c.Namespaces, prometheus: c.Prometheus.Client,
		checkTime: cmp.Or(c.CheckTime, checkTime), patience: patience, now: time.Now,
		strangers: make(chan struct{}, maxChecks), acquaintances: make(chan struct{}, maxChecks), known: map[key]*user{},
	}
	if len(c.Registries) > 0 {
		u.artifacts = &artifact.Cache{Pause: artifact.PagePause, Options: artifact.Options{Keychain: authn.DefaultKeychain, Only: c.Registries}}
	}
	return u
}

// Errors when there is no room for another token.
var (
	errTooMany       = errors.New("too many users have pages of this dashboard open")
	errTooManyChecks = errors.New("too many tokens are being checked")
)

// errGaveWay is the cause of requests whose token has given way to others.
var errGaveWay = errors.New("others use the dashboard")

// errOver is the cause of requests whose token is not accepted any more.
var errOver = &guard.EndedError{
	Text: "The cluster does not accept your token any more: it may have expired. Load this page again to sign in.",
}

type userKey struct{}

// userOf is the user of a request that [users.of] has returned.
func userOf(r *http.Request) *user {
	known, _ := r.Context().Value(userKey{}).(*user)
	return known
}

// of returns the request with its token's user, until it ends: it does when the token is found not
// to be accepted any more.
func (u *users) of(r *http.Request, token string) (*http.Request, error) {
	key := sha256.Sum256([]byte(token))
	checked, known := u.take(r, key)
	if checked != nil {
		return checked, nil
	}
	slots := u.strangers
	if known != nil {
		slots = u.acquaintances
	}
	client, name, err := u.check(r.Context(), slots, token)
	if err != nil {
		if isUnauthorized(err) {
			u.drop(key, errOver)
		}
		return nil, err
	}
	return u.add(r, key, client, name)
}

// take returns the request with its user, if the token was accepted a moment ago, or else nil and the
// user whose token it was, if it is known.
func (u *users) take(r *http.Request, key key) (*http.Request, *user) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.known[key]
	if known == nil || u.now().Sub(known.checked) > u.checkTime {
		return nil, known
	}
	return u.hold(r, known), known
}

// hold keeps a user from giving way until the request ends. u is locked.
func (u *users) hold(r *http.Request, known *user) *http.Request {
	ctx, end := context.WithCancelCause(context.WithValue(r.Context(), userKey{}, known))
	held := r.WithContext(ctx)
	known.open[held] = end
	context.AfterFunc(r.Context(), func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(known.open, held)
		known.used = u.now()
	})
	return held
}

// check asks the API server whose token it is.
func (u *users) check(ctx context.Context, slots chan struct{}, token string) (*cluster.Client, string, error) {
	ctx, cancel := context.WithTimeout(ctx, u.patience)
	defer cancel()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, "", errTooManyChecks
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
func (u *users) add(r *http.Request, key key, client *cluster.Client, name string) (*http.Request, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.known[key]
	if known == nil {
		if err := u.makeRoom(name); err != nil {
			return nil, err
		}
		s := view.New(client, view.Options{
			Namespaces: u.namespaces, Prometheus: u.prometheus, Artifacts: u.artifacts,
			Hint:   func(namespace string, err error) string { return at(namespace).Text(err) },
			SignIn: signIn,
			Unkept: func(v *v1alpha1.Version) string { return at(v.Namespace).Unkept(v) },
		})
		known = &user{name: name, client: client, source: s, open: map[*http.Request]context.CancelCauseFunc{}}
		u.known[key] = known
	}
	known.checked = u.now()
	return u.hold(r, known), nil
}

// signIn is what to do about a registry that lets nothing be read: config/dashboard mounts this Secret.
func signIn(registry string) string {
	return "its administrator puts those of an account that may read into a Secret: kubectl -n krt-system create secret docker-registry " +
		"krt-dashboard-registry --docker-server=" + registry + " --docker-username=… --docker-password=…"
}

// at makes hints about a namespace.
func at(namespace string) hint.Place {
	return hint.Place{Program: "kn krt", Namespace: namespace, Explicit: true}
}

// makeRoom lets those give way who have had no page open for the longest time, if there are too many
// tokens. Of one user, the token gives way that was checked the longest ago, even if it has pages:
// they connect again with the user's newest one, such as that of a proxy. u is locked.
func (u *users) makeRoom(name string) error {
	own := func(other *user) bool { return other.name == name }
	if count, oldest := u.oldest(own); count >= maxTokens {
		u.forget(oldest, errGaveWay)
	}
	if len(u.known) < maxUsers {
		return nil
	}
	count, oldest := u.oldest(func(other *user) bool { return len(other.open) == 0 })
	if count == 0 {
		return errTooMany
	}
	u.forget(oldest, errGaveWay)
	return nil
}

// oldest returns the token that is used the least of those that match, and how many match.
func (u *users) oldest(match func(*user) bool) (count int, oldest key) {
	var last *user
	for key, other := range u.known {
		if !match(other) {
			continue
		}
		if count++; last == nil || other.before(last) {
			last, oldest = other, key
		}
	}
	return count, oldest
}

// before reports whether a user gives way before another one.
func (k *user) before(other *user) bool {
	if idle := len(k.open) == 0; idle != (len(other.open) == 0) {
		return idle
	} else if idle {
		return k.used.Before(other.used)
	}
	return k.checked.Before(other.checked)
}

// forget ends what a token shows. u is locked.
func (u *users) forget(key key, cause error) {
	known := u.known[key]
	delete(u.known, key)
	for _, end := range known.open {
		end(cause)
	}
	u.closing.Go(known.source.Close)
}

// drop is forget for a token that may not be known.
func (u *users) drop(key key, cause error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known[key] != nil {
		u.forget(key, cause)
	}
}

// close forgets all, and waits until it has ended.
func (u *users) close() {
	u.mu.Lock()
	for key := range u.known {
		u.forget(key, context.Canceled)
	}
	u.mu.Unlock()
	u.closing.Wait()
}

func isUnauthorized(err error) bool {
	var failed *cluster.Error
	return errors.As(err, &failed) && failed.Reason == cluster.ReasonUnauthorized
}
