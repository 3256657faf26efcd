package localrun

import (
	"bytes"
	"encoding/json"
	"sync"
)

// ready is the line by which kn-krt says where the version answers.
type ready struct {
	Event string `json:"event"`
	GRPC  string `json:"grpc"`
	Web   string `json:"web"`
}

// output keeps what kn-krt prints and watches for the ready line.
type output struct {
	ready chan ready

	mu   sync.Mutex
	all  bytes.Buffer
	seen int // bytes of whole lines looked at
}

func newOutput() *output { return &output{ready: make(chan ready, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.Write(p)
	for {
		line, _, whole := bytes.Cut(o.all.Bytes()[o.seen:], []byte("\n"))
		if !whole {
			return len(p), nil
		}
		o.seen += len(line) + 1
		var r ready
		if json.Unmarshal(line, &r) == nil && r.Event == "ready" {
			select {
			case o.ready <- r:
			default: // a reload: the addresses stay
			}
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
