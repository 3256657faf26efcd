package localrun

import (
	"encoding/json"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/child"
)

// Event is a line by which kn-krt reports what happened.
type Event struct {
	Type       string `json:"event"`
	Version    string `json:"version"`
	GRPC       string `json:"grpc"`
	Web        string `json:"web"`
	Inspection string `json:"inspect"`
	Dashboard  string `json:"dashboard"`
}

// mostKept bounds what is kept of the output of a version that floods it.
const mostKept = 4 << 20

// output keeps what kn-krt prints, and what it reports.
type output struct {
	news chan struct{} // has a value after an event

	mu     sync.Mutex
	all    []byte
	lines  child.Lines
	events []Event
	race   bool
}

func newOutput() *output {
	o := &output{news: make(chan struct{}, 1)}
	o.lines.Each = o.line
	return o
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, p...)
	if len(o.all) > 2*mostKept {
		o.all = append(o.all[:0], o.all[len(o.all)-mostKept:]...)
	}
	return o.lines.Write(p)
}

func (o *output) line(line string) {
	o.race = o.race || strings.Contains(line, "WARNING: DATA RACE")
	var e Event
	if json.Unmarshal([]byte(line), &e) != nil || e.Type == "" {
		return // what a node printed
	}
	o.events = append(o.events, e)
	select {
	case o.news <- struct{}{}:
	default:
	}
}

// find returns the first event of a type.
func (o *output) find(event string) (Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Type == event {
			return e, true
		}
	}
	return Event{}, false
}

// hasRace reports whether the race detector has printed something.
func (o *output) hasRace() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.race
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.all)
}
