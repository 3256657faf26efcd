package entrypoint

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/schema"
)

// table is one version made ready to serve. It never changes; a new version is
// a new table. It has a reference while it is in force, one for each handler of a
// port that works with it, and one for each request; see [ticket.start].
type table struct {
	version  Version
	source   string // of events the entrypoint makes
	byMethod map[string]*route
	byName   map[string]*route
	json     *web.JSON
	rpc      http.Handler
	describe *structpb.Struct
	contract *capture.Contract // nil: messages are never kept
	compared *capture.Contract // with which responses are compared

	refs    atomic.Int64
	drained chan struct{}
}

// route is one workflow made ready to serve.
type route struct {
	*Workflow
	path     string // "/pkg.Service/Method"
	input    protoreflect.MessageDescriptor
	output   protoreflect.MessageDescriptor
	want     string   // full name of output
	stream   bool     // the response is a stream
	nodes    []string // of the steps
	delivery delivery.Delivery
	queued   bool   // the delivery has ended once the queue has the event
	replay   *route // by which dead letters are replayed: direct delivery; nil: there is none
	chain    *warm.Chain
}

// elsewhere reports whether events pass from node to node without the request's own delivery.
func (r *route) elsewhere() bool { return r.Address != "" || r.queued }

func (e *Entrypoint) newTable(v Version) (*table, error) {
	if v.Name == "" || v.Schema == nil {
		return nil, fmt.Errorf("cannot serve version %q: it has no name or no schema", v.Name)
	}
	v.BackgroundTimeout = cmp.Or(v.BackgroundTimeout, environment.DefaultBackgroundTimeout)
	t := &table{
		version:  v,
		source:   eventSource(v),
		byMethod: make(map[string]*route, len(v.Workflows)),
		byName:   make(map[string]*route, len(v.Workflows)),
		json:     web.NewJSON(dynamicpb.NewTypes(v.Schema.Registry()), e.budget, e.options.MaxMessageBytes),
		drained:  make(chan struct{}),
	}
	t.refs.Store(1)
	for i := range v.Workflows {
		r, err := e.newRoute(&v.Workflows[i])
		if err != nil {
			return nil, fmt.Errorf("cannot serve version %q: workflow %q: %w", v.Name, v.Workflows[i].Name, err)
		}
		if other := t.byMethod[r.path]; other != nil {
			return nil, fmt.Errorf("cannot serve version %q: workflows %q and %q share the rpc %s", v.Name, other.Name, r.Name, r.path)
		}
		if t.byName[r.Name] != nil {
			return nil, fmt.Errorf("cannot serve version %q: two workflows are named %q", v.Name, r.Name)
		}
		t.byMethod[r.path], t.byName[r.Name] = r, r
	}
	for _, name := range e.options.Authentication.Workflows {
		if t.byName[name] == nil {
			return nil, fmt.Errorf("cannot serve version %q: authentication: it has no workflow %q; it has %s", v.Name, name, t.workflows())
		}
	}
	var err error
	if t.contract, t.compared, err = v.contracts(); err != nil {
		return nil, fmt.Errorf("cannot serve version %q: %w", v.Name, err)
	}
	if t.describe, err = describeVersion(&t.version).Struct(); err != nil {
		return nil, err
	}
	t.rpc, err = e.decoding.NewTranscoder(web.Transcoder{
		Schema: v.Schema, JSON: t.json, NotFound: t.notFound, Logger: e.log,
		Handler: &rpcHandler{entry: e, table: t, errors: connect.NewErrorWriter()},
	})
	return t, err
}

// contracts returns what decodes messages: those that are kept, nil if none are, and responses that are
// compared.
func (v *Version) contracts() (kept, compared *capture.Contract, err error) {
	if v.Inspect == nil {
		compared, err = capture.NewContract(v.Schema.Registry(), capture.Settings{})
		return nil, compared, err
	}
	kept, err = capture.NewContract(v.Schema.Registry(), *v.Inspect)
	return kept, kept, err
}

func (e *Entrypoint) newRoute(w *Workflow) (*route, error) {
	if w.Method == nil {
		return nil, fmt.Errorf("it has no rpc")
	}
	if w.Method.IsStreamingClient() {
		return nil, fmt.Errorf("rpc %s is client-streaming; a workflow starts with one message", w.Method.FullName())
	}
	r := &route{
		Workflow: w,
		path:     methodPath(w.Method),
		input:    w.Method.Input(),
		output:   w.Method.Output(),
		want:     string(w.Method.Output().FullName()),
		stream:   w.Method.IsStreamingServer(),
		nodes:    w.nodes(),
		chain:    e.options.Waker.Chain(w.nodes()),
	}
	if r.stream && len(r.nodes) == 0 {
		return nil, errors.New("it has no steps; a streaming rpc needs at least one")
	}
	var err error
	switch {
	case w.Address != "":
		if w.Channel.Name == "" {
			w.Channel = channel.Default()
		}
		r.delivery, err = e.sender.Sequence(w.Address, w.Channel)
	case len(w.Steps) > 0 && e.options.Queue != nil:
		r.queued = true
		r.delivery, err = e.options.Queue.Delivery(e.sender, w.Name, w.Steps)
	case len(w.Steps) > 0:
		r.delivery, err = e.sender.Direct(w.Steps)
	default:
		err = errors.New("it has no steps and no address")
	}
	if err == nil && e.options.Mail != nil {
		r.replay = e.newReplay(r)
	}
	return r, err
}

// answered reports whether the end of the delivery says only that a channel has the event.
func (r *route) answered() bool { return r.Address != "" && r.Channel.Answers() }

// acquire returns the table in force, which is kept until it is released: a port's
// handler does so when it returns. It is nil once the entrypoint has stopped.
func (e *Entrypoint) acquire() *table {
	for {
		t := e.table.Load()
		for n := t.refs.Load(); n > 0; n = t.refs.Load() {
			if t.refs.CompareAndSwap(n, n+1) {
				return t
			}
		}
		if t == e.table.Load() {
			return nil // the last table has been released
		}
	}
}

// release gives a reference to the table back.
func (t *table) release() {
	if t.refs.Add(-1) == 0 {
		close(t.drained)
	}
}

// left reports whether no request of t is left.
func (t *table) left() bool { return t.refs.Load() == 0 }

// workflows returns the workflows' names, sorted, for messages.
func (t *table) workflows() string {
	names := make([]string, 0, len(t.byName))
	for name := range t.byName {
		names = append(names, fmt.Sprintf("%q", name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// find returns the route of a workflow's name or of an rpc in any of the forms
// a manifest may use, and nil when there is none.
func (t *table) find(name string) *route {
	if r := t.byName[name]; r != nil {
		return r
	}
	method, err := t.version.Schema.Method(name)
	if err != nil {
		return nil
	}
	return t.byMethod[methodPath(method)]
}

// streams reports whether r is the route of a streaming rpc; r may be nil.
func streams(r *route) bool { return r != nil && r.stream }

// methodPath is the path of m in gRPC, Connect and JSON calls.
func methodPath(m protoreflect.MethodDescriptor) string {
	return "/" + schema.MethodName(m)
}
