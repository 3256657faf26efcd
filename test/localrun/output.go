package localrun

import (
	"bytes"
	"encoding/json"
	"sync"

	"krt.dev/kn-krt/pkg/child"
)

// ready is the line by which kn-krt reports where the version serves.
type ready struct {
	Event      string `json:"event"`
	GRPC       string `json:"grpc"`
	Inspection string `json:"inspect"`
	Web        string `json:"web"`
}

// output keeps what kn-krt prints and watches for the ready line.
type output struct {
	ready chan ready

	mu    sync.Mutex
	all   bytes.Buffer
	lines child.Lines
}

func newOutput() *output {
	o := &output{ready: make(chan ready, 1)}
	o.lines.Each = o.line
	return o
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.Write(p)
	return o.lines.Write(p)
}

func (o *output) line(line string) {
	var r ready
	if json.Unmarshal([]byte(line), &r) == nil && r.Event == "ready" {
		select {
		case o.ready <- r:
		default: // a reload: the addresses stay
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
