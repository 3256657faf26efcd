package process

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// NodesSettings are the nodes that [Nodes] runs.
type NodesSettings struct {
	// Count is the number of nodes.
	Count int
	// Hold, if positive, makes each node keep its first Hold events until all of
	// them have come. The last one then waits for /release on the control port.
	Hold int
	// Messages is how many messages the last node sends of what it was given, where the
	// rpc returns a stream. They are the whole stream; 0: it returns one.
	Messages int
	// Pause is how long the last node waits before each message but the first.
	Pause time.Duration
}

// Nodes is the role of a workflow's nodes: Go runners of ours in one process,
// each with its own port, whose handlers return what they were given. On
// the control port, /held returns how many events the last node holds.
func Nodes(ctx context.Context, raw json.RawMessage, control *http.ServeMux) ([]string, error) {
	var s NodesSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	addresses := make([]string, s.Count)
	var last *echo
	for i := range addresses {
		listener, err := Listen(ctx)
		if err != nil {
			return nil, err
		}
		addresses[i] = listener.Addr().String()
		last = &echo{hold: int64(s.Hold), release: make(chan struct{}), last: i == s.Count-1, messages: s.Messages, pause: s.Pause}
		RunNode(ctx, fmt.Sprintf("node-%d", i), listener, last)
	}
	control.HandleFunc("GET /held", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(last.came.Load())
	})
	control.HandleFunc("GET /release", func(http.ResponseWriter, *http.Request) { last.open() })
	return addresses, nil
}

// RunNode runs a Go runner on listener until ctx is done, and returns when it
// takes events.
func RunNode(ctx context.Context, name string, listener net.Listener, node runner.Foreign) {
	ready := make(chan struct{})
	go func() {
		err := runner.RunForeign(ctx, runner.Options{
			Getenv: func(key string) string {
				return map[string]string{"KRT_NODE_NAME": name, "KRT_VERSION": "bench-v1"}[key]
			},
			Listener: listener, Logger: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		}, node)
		if err != nil {
			panic(err)
		}
	}()
	<-ready
}

// echo is a node that returns the message it was given.
type echo struct {
	hold    int64
	last    bool
	came    atomic.Int64
	release chan struct{}
	once    sync.Once
	// messages are to be sent if the rpc returns a stream.
	messages int
	pause    time.Duration
}

func (*echo) Init(context.Context) error { return nil }

// Down implements runner.Foreign.
func (n *echo) Down() error { return nil }

// Call implements runner.Foreign.
func (n *echo) Call(c *runner.HandlerContext, in *event.Event) (runner.Output, error) {
	if n.hold > 0 {
		if n.came.Add(1) == n.hold && !n.last {
			n.open()
		}
		select {
		case <-n.release:
		case <-c.Context().Done():
		}
	}
	out := runner.Output{Message: in.Message, Data: in.Data}
	if n.messages == 0 || !n.last || in.Stream.Unary() {
		return out, nil
	}
	return runner.Output{}, n.send(c, out)
}

// send sends out as often as it is to.
func (n *echo) send(c *runner.HandlerContext, out runner.Output) error {
	for i := range n.messages {
		if i > 0 && n.pause > 0 {
			time.Sleep(n.pause)
		}
		if err := runner.SendEncoded(c, out); err != nil {
			return err
		}
	}
	return nil
}

func (n *echo) open() { n.once.Do(func() { close(n.release) }) }
