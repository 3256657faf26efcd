// Package cold knows which nodes of a version have no pod that could respond, and why. What runs an
// entrypoint in a cluster writes that into a file; without one, nothing is known.
package cold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/runner/event"
)

// File is the name of the file, in the folder that entrypoint.json names.
const File = "nodes.json"

const (
	// maxFileBytes bounds the file: an annotation has 256 KiB at most.
	maxFileBytes = 256 << 10
	// MaxNodes bounds the nodes in it.
	MaxNodes = 64
	// fresh is for how long the file is not read again.
	fresh = time.Second
	// retryMachine and retryPod are after what time a client is asked to try again: a machine takes
	// minutes, and each request says again that the node is needed.
	retryMachine, retryPod = 30 * time.Second, 5 * time.Second
)

// Node is a node without a pod that could respond, although one is to.
type Node struct {
	// Node is the node's name.
	Node string `json:"node"`
	// Resource is what a machine must have for its pod; empty: nothing special.
	Resource string `json:"resource,omitempty"`
	// Since is since when the pod waits for a machine or, if it has one, starts on it.
	Since time.Time `json:"since"`
	// Scheduled is whether it has one.
	Scheduled bool `json:"scheduled,omitempty"`
}

// Text returns the content of the file: empty for no nodes. It has the first [MaxNodes].
func Text(nodes []Node) string {
	if len(nodes) == 0 {
		return ""
	}
	text, _ := json.Marshal(nodes[:min(len(nodes), MaxNodes)]) // strings and times: this cannot fail
	return string(text)
}

// Parse reads the content of the file.
func Parse(data []byte) ([]Node, error) {
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return nil, nil
	}
	var nodes []Node
	if err := json.Unmarshal(data, &nodes); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", File, err)
	}
	if len(nodes) > MaxNodes {
		return nil, fmt.Errorf("cannot use %s: it has %d nodes, and may have %d", File, len(nodes), MaxNodes)
	}
	return nodes, nil
}

// Nodes are those of the file as it is now. A nil *Nodes has none.
type Nodes struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	read   time.Time
	known  []Node
	failed string // why it could not be read, as last logged
}

// New returns the nodes of the file in folder; nil, if there is no folder.
func New(folder string, log *slog.Logger) *Nodes {
	if folder == "" {
		return nil
	}
	return &Nodes{path: filepath.Join(folder, File), log: log}
}

// Find returns the first of the named nodes that is cold.
func (n *Nodes) Find(names ...string) (Node, bool) {
	if n == nil {
		return Node{}, false
	}
	known := n.now()
	for _, name := range names {
		if i := slices.IndexFunc(known, func(one Node) bool { return one.Node == name }); i >= 0 {
			return known[i], true
		}
	}
	return Node{}, false
}

// now reads the file unless that has just been done. What cannot be read is logged once, and nothing is
// known then.
func (n *Nodes) now() []Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.read.IsZero() && time.Since(n.read) < fresh {
		return n.known
	}
	data, err := untrusted.ReadPath(n.path, maxFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = nil, nil
	}
	n.known = nil
	if err == nil {
		n.known, err = Parse(data)
	}
	n.read = time.Now()
	if err == nil {
		n.failed = ""
	} else if text := err.Error(); text != n.failed {
		n.failed = text
		n.log.Error("cannot tell which nodes are cold", "error", text)
	}
	return n.known
}

// Before calls f so long before a deadline that a response still reaches a client which has the same one:
// a tenth of the time that is left, and at most a second. The function returned stops that.
func (n *Nodes) Before(deadline time.Time, f func()) (stop func()) {
	if n == nil {
		return func() {}
	}
	left := time.Until(deadline)
	timer := time.AfterFunc(left-min(left/10, time.Second), f)
	return func() { timer.Stop() }
}

// Failure is the failure of a request that waits for the node.
func (n Node) Failure() event.Failure {
	what, retry := "waiting for a machine that can run it", retryMachine
	switch {
	case n.Scheduled:
		what, retry = "its pod is starting", retryPod
	case n.Resource != "":
		what = "waiting for a machine with " + n.Resource
	}
	return event.Failure{
		Code: code.Code_UNAVAILABLE, Reason: event.ReasonColdStart, Node: n.Node, Retry: retry,
		Text: fmt.Sprintf("node %q: %s, since %s", n.Node, what, age(time.Since(n.Since))),
	}
}

// age is a duration for people: 40s, 3m, 1h5m.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
}
