package watch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// storePeriod is how often the store is asked, and storeTimeout how long that may take.
	storePeriod  = 15 * time.Second
	storeTimeout = 5 * time.Second
	// storePatience is how often in a row it must fail: a pod that is replaced is no news.
	storePatience = 2
	// maxStoreText bounds what is read of its response, and maxStoreWhy what is kept, in bytes.
	maxStoreText = 4096
	maxStoreWhy  = 256
)

// Store is whether the store of the settings can be used, or the queue. A version is as ready as
// it is without a store.
type Store struct {
	settings *Settings
	reader   client.Reader
	// of is its URL in the settings; empty if there is none. problem is why it is not ready there;
	// empty if it is.
	of      func(render.Settings) string
	problem func(ctx context.Context, url, ca string) string
	// uses reports whether an object is concerned at all.
	uses func(client.Object) bool

	mu     sync.Mutex
	url    string
	failed int // times in a row
	why    string
	asked  bool // since this process has started
	known  bool // whether it can be used
}

// NewStore returns the state of the settings' store.
func NewStore(s *Settings, reader client.Reader) *Store {
	return &Store{settings: s, reader: reader, of: render.Settings.Store, problem: problem, uses: all}
}

// NewQueue returns the state of the settings' queue of durable deliveries.
func NewQueue(s *Settings, reader client.Reader) *Store {
	return &Store{settings: s, reader: reader, of: render.Settings.Queue, problem: queueProblem, uses: usesQueue}
}

// usesQueue reports whether a version has durable delivery.
func usesQueue(o client.Object) bool {
	v, ok := o.(*v1alpha1.Version)
	return !ok || v.Delivery() == v1alpha1.DeliveryDurable
}

// queueProblem is why a queue is not ready; empty if it is.
func queueProblem(ctx context.Context, url, _ string) string {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := queue.Probe(ctx, url); err != nil {
		return clip.Text(lasting(err), maxStoreWhy)
	}
	return ""
}

// Why is why the store at url cannot be used, empty if it can. Known is whether that has been found out:
// not in the first moments of a process, in which versions keep what another has reported.
func (s *Store) Why(url string) (why string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.asked || url == s.url && !s.known:
		return "", false
	case url != s.url:
		return "", true // another one is asked
	}
	return s.text(), true
}

func (s *Store) text() string {
	if s.failed < storePatience {
		return ""
	}
	return s.why
}

// Source asks the store periodically; a change requeues all objects of the list's kind.
func (s *Store) Source(list client.ObjectList) source.Source {
	return source.Func(func(ctx context.Context, q Queue) error {
		go func() {
			for tick := time.NewTicker(storePeriod); ; {
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
				}
				if concerned := s.ask(ctx); concerned != nil {
					enqueue(ctx, s.reader, list, q, func(o client.Object) bool { return s.uses(o) && concerned(o) })
				}
			}
		}()
		return nil
	})
}

// ask asks the store once, and returns which objects the result concerns, nil for none.
func (s *Store) ask(ctx context.Context) func(client.Object) bool {
	settings, err := s.settings.Get()
	url, why := s.of(settings), ""
	if err != nil || url == "" {
		url = ""
	} else {
		why = s.problem(ctx, url, settings.StoreCA)
	}
	if ctx.Err() != nil {
		return nil
	}
	return s.note(url, why)
}

// note notes the result of asking the store at url, and returns which objects it concerns: all if
// [Store.Why] has changed, and those that report a problem when it is first known that there is none.
func (s *Store) note(url, why string) func(client.Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	former, was := s.text(), s.known
	if url != s.url {
		s.known = false
	}
	if why == "" || url != s.url {
		s.failed = 0
	}
	if s.url, s.why, s.asked = url, why, true; why != "" {
		s.failed++
	}
	s.known = s.known || why == "" || s.failed >= storePatience
	switch {
	case s.text() != former:
		return all
	case s.known && !was:
		return reportsStore
	}
	return nil
}

// reportsStore reports whether a version has a problem with its store or queue in its status.
func reportsStore(o client.Object) bool {
	v, ok := o.(*v1alpha1.Version)
	return !ok || v.Status.Condition(v1alpha1.ConditionStoreUnavailable) != nil || v.QueueProblem() != ""
}

// problem is why a store is not ready; empty if it is.
func problem(ctx context.Context, url, ca string) string {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		return err.Error()
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: trusting(ca)}
	response, err := transport.RoundTrip(req)
	if err != nil {
		return clip.Text("it does not respond: "+lasting(err), maxStoreWhy)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return ""
	}
	var failure struct{ Error string }
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxStoreText))
	if json.Unmarshal(text, &failure) == nil && failure.Error != "" {
		return clip.Text(failure.Error, maxStoreWhy)
	}
	return fmt.Sprintf("it responds with status %d", response.StatusCode)
}

// lasting is the text of an error without ports and addresses that differ each time: a
// condition must not change with them.
func lasting(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no response within %s", storeTimeout)
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

// trusting returns the configuration of clients that trust certificates, the system's if
// there are none.
func trusting(ca string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(ca))
	}
	return config
}
