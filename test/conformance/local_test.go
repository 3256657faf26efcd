package conformance_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/schema"
	storing "krt.dev/kn-krt/test/channel"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/chain"
	"krt.dev/kn-krt/test/conformance/node"
	"krt.dev/kn-krt/test/jetstream"
)

const (
	runtimeName = "conformance"
	// requestTimeout is a version's unless its variant says otherwise; it is long,
	// for no case should meet it on a slow machine.
	requestTimeout = 2 * time.Minute
	shortTimeout   = 2 * time.Second
	// retryDelay stands for the 0.2 s of a real Sequence; a process is back in less.
	retryDelay = 10 * time.Millisecond
	retries    = 3
	// A hasty version's streams may have so many messages, and pause so long.
	mostMessages = 20
	shortPause   = shortTimeout / 2
)

// workflows are those of the version: rpc, and the nodes' names in order.
func workflows() map[string][]string {
	return map[string][]string{
		"One":           {"n1"},
		"Three":         {"n1", "n2", "n3"},
		"Twelve":        {"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11", "n12"},
		"ForeignFirst":  {"foreign", "n1"},
		"ForeignMiddle": {"n1", "foreign", "n3"},
		"ForeignLast":   {"n1", "n2", "foreign"},
		"Down":          {"n1", "down", "n3"},
		"Broken":        {"n1", "broken", "n3"},

		"StreamOne":           {"n1"},
		"StreamTwo":           {"n1", "n2"},
		"StreamThree":         {"n1", "n2", "n3"},
		"StreamForeignMiddle": {"n1", "foreign", "n3"},
	}
}

// workflowName is the name of an rpc's workflow.
func workflowName(rpc string) string { return strings.ToLower(rpc) }

// local is a version in this process: real entrypoints, real runners, Knative's
// channel code.
type local struct {
	t        *testing.T
	variant  conformance.Variant
	delivery conformance.Delivery
	language conformance.Language
	workers  int // of each Python node
	log      *log

	dir     string
	queue   string            // URL
	carrier *durable.Carrier  // of the last replica; nil: there is no queue
	nodes   map[string]string // URLs
	entries []*replica
	reply   string
	stop    context.CancelFunc
	stopped chan error
	storing *chain.Storing
}

// replica is one entrypoint.
type replica struct {
	entry     *entrypoint.Entrypoint
	listeners entrypoint.Listeners
}

// startLocal starts a version, which ends with the test.
func startLocal(t *testing.T, d conformance.Delivery, lang conformance.Language, v conformance.Variant, workers int) *local {
	t.Helper()
	l := &local{t: t, variant: v, delivery: d, language: lang, workers: workers, log: &log{}, dir: t.TempDir(), stopped: make(chan error, 1)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.log.tail())
		}
	})
	replicas := 1
	if v == conformance.Paired {
		replicas = 2
	}
	for range replicas {
		l.entries = append(l.entries, &replica{listeners: entrypoint.Listeners{
			GRPC: listen(t), Web: listen(t), Reply: listen(t), Inspection: listen(t),
		}})
	}
	l.reply = "http://" + l.entries[replicas-1].listeners.Reply.Addr().String()
	if v == conformance.Unsteady {
		l.reply = unsteady(t, listen(t), l.reply)
	}
	l.startNodes()
	l.serve()
	return l
}

// serve starts the entrypoints.
func (l *local) serve() {
	version := l.version()
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	results := make(chan error, len(l.entries))
	options := l.options()
	for _, r := range l.entries {
		options.Advertise = r.listeners.Reply.Addr().String()
		var err error
		r.entry, err = entrypoint.New(version, l.delivering(version, options))
		require.NoError(l.t, err)
		go func() { results <- r.entry.Serve(ctx, r.listeners) }()
	}
	go func() {
		var first error
		for range l.entries {
			if err := <-results; err != nil && first == nil {
				first = err
			}
		}
		l.stopped <- first
		close(l.stopped)
	}()
	l.t.Cleanup(func() {
		stop()
		for range l.stopped { // until it is closed; a case may have taken the result
		}
	})
}

func (l *local) options() entrypoint.Options {
	o := entrypoint.Options{
		Timeout: l.timeout(), StreamTimeout: l.timeout(),
		// On a busy machine many connections at once may take longer than the default patience.
		Retry:  entrypoint.Retry{Count: retries, Delay: retryDelay, Patience: requestTimeout / 2},
		Key:    []byte("conformance conformance conforms"),
		Logger: slog.New(slog.NewTextHandler(l.log, nil)).With("from", "entrypoint"),
	}
	if l.variant == conformance.Hasty {
		o.StreamIdle, o.StreamMessages = shortPause, mostMessages
	}
	return o
}

// delivering returns options with the queue of a durable delivery.
func (l *local) delivering(v entrypoint.Version, o entrypoint.Options) entrypoint.Options {
	if l.delivery != conformance.Durable {
		return o
	}
	if l.queue == "" {
		l.queue = jetstream.Start(l.t, jetstream.Options(l.t.TempDir(), -1)).ClientURL()
	}
	o.Durable, o.Collectors = &queue.Settings{URL: l.queue}, nil
	durable.Extend(v, &o)
	l.carrier = o.Queue.(*durable.Carrier)
	return o
}

func (l *local) timeout() time.Duration {
	if l.variant == conformance.Hasty {
		return shortTimeout
	}
	return requestTimeout
}

// version is what the entrypoints serve, by either delivery.
func (l *local) version() entrypoint.Version {
	s, err := schema.Compile(l.t.Context(), node.Bundle, "conformance.proto", schema.Options{})
	require.NoError(l.t, err)
	v := entrypoint.Version{Namespace: runtimeName, Name: string(l.variant), Description: "Conformance.", Schema: s,
		Inspect: &capture.Settings{}}
	sequence, kind := l.sequences()
	for rpc, names := range workflows() {
		method, err := s.Method(rpc)
		require.NoError(l.t, err)
		w := entrypoint.Workflow{Name: workflowName(rpc), Method: method}
		var urls []string
		for _, name := range names {
			url := l.nodes[name]
			if url == "" {
				break // the variant has fewer nodes
			}
			w.Steps, urls = append(w.Steps, entrypoint.Step{Node: name, URL: url}), append(urls, url)
		}
		if len(urls) < len(names) {
			continue
		}
		if sequence != nil {
			delivery := chain.Delivery{
				Reply: l.reply + "/reply", DeadLetter: l.reply + "/dead-letter",
				Retry: retries, Backoff: retryDelay, Async: l.delivery == conformance.Async,
			}
			if !kind.KeepsResponses {
				delivery.Timeout = 605 * time.Second // a revision's, and some
			}
			w.Address = sequence(w.Name, delivery, urls...)
			w.Channel = kind
		}
		v.Workflows = append(v.Workflows, w)
	}
	return v
}

func (l *local) Namespace() string              { return runtimeName }
func (l *local) Version() string                { return string(l.variant) }
func (l *local) Delivery() conformance.Delivery { return l.delivery }
func (l *local) Language() conformance.Language { return l.language }
func (l *local) OnCluster() bool                { return false }
func (l *local) GRPC() string                   { return l.entries[0].listeners.GRPC.Addr().String() }
func (l *local) Web() string                    { return "http://" + l.entries[0].listeners.Web.Addr().String() }
func (l *local) Replicas() []string             { return []string{l.GRPC()} }
func (l *local) Reply() string                  { return l.reply }
func (l *local) Node(name string) string        { return l.nodes[name] }

func (l *local) Stop() <-chan error {
	l.stop()
	return l.stopped
}

// sequences makes Sequences, of that kind of channel; it is nil if the delivery does without.
func (l *local) sequences() (sequence func(string, chain.Delivery, ...string) string, kind channel.Kind) {
	switch l.delivery {
	case conformance.Sequence, conformance.Async:
		return chain.NewDispatcher(l.t).Sequence, channel.Named("InMemoryChannel", l.delivery == conformance.Async)
	case conformance.Storing:
		l.storing = chain.NewStoring(l.t, storing.Faults{})
		return l.storing.Sequence, channel.Named("TestChannel.messaging.krt.test", false)
	}
	return nil, kind
}

// Waiting is how many events are in the queue, or in channels that store them. Where cases run side by side,
// those of others are in them, too: then it is not known.
func (l *local) Waiting() (int64, error) {
	if l.storing != nil && l.variant != conformance.Hasty {
		return l.storing.Pending(), nil
	}
	if l.carrier == nil {
		return 0, nil
	}
	status, err := l.carrier.Status(context.Background())
	return status.Events, err
}

func (l *local) Metrics() (string, error) {
	var all strings.Builder
	for _, r := range l.entries {
		res, err := http.Get("http://" + r.listeners.Reply.Addr().String() + "/metrics")
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return "", err
		}
		all.Write(text)
	}
	return all.String(), nil
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// log takes what all parts of a version write.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// tail is the end of what was written: enough to see what went wrong.
func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 16 << 10
	text := l.b.Bytes()
	return string(text[max(0, len(text)-most):])
}
