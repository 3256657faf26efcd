package local

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/logline"
)

// jsonConsole prints a run for programs: one JSON object per line.
type jsonConsole struct {
	out io.Writer
	mu  sync.Mutex
}

// runLine is a line that a node or the entrypoint wrote.
type runLine struct {
	Time   time.Time `json:"time"`
	Node   string    `json:"node"`
	Stream string    `json:"stream"`
	Line   string    `json:"line"`
}

// runEvent is something that happened; durations are in seconds.
type runEvent struct {
	Time      time.Time     `json:"time"`
	Event     string        `json:"event"`
	Node      string        `json:"node,omitempty"`
	Nodes     []string      `json:"nodes,omitempty"`
	Language  string        `json:"language,omitempty"`
	Text      string        `json:"text,omitempty"`
	StateDir  string        `json:"stateDir,omitempty"`
	Took      float64       `json:"took,omitempty"`
	Delay     float64       `json:"delay,omitempty"`
	Error     string        `json:"error,omitempty"`
	Version   string        `json:"version,omitempty"`
	GRPC      string        `json:"grpc,omitempty"`
	Web       string        `json:"web,omitempty"`
	Reply     string        `json:"reply,omitempty"`
	Inspect   string        `json:"inspect,omitempty"`
	Dashboard string        `json:"dashboard,omitempty"`
	Traces    string        `json:"traces,omitempty"`
	Workflows []runWorkflow `json:"workflows,omitempty"`
}

type runWorkflow struct {
	Name    string          `json:"name"`
	RPC     string          `json:"rpc"`
	Example json.RawMessage `json:"example"`
}

// Line writes a runLine for each line of text.
func (c *jsonConsole) Line(node, stream, line string) {
	for _, text := range logline.Texts(line) {
		c.write(runLine{Time: time.Now().UTC(), Node: node, Stream: stream, Line: text})
	}
}

// Event writes a runEvent, or a runRequest.
func (c *jsonConsole) Event(e local.Event) {
	if e.Type == local.EventRequest {
		c.write(newRunRequest(e.Request))
		return
	}
	line := runEvent{
		Time: time.Now().UTC(), Event: string(e.Type), Node: e.Node, Nodes: e.Nodes, Language: e.Language,
		Text: e.Text, StateDir: e.StateDir, Took: e.Took.Seconds(), Delay: e.Delay.Seconds(),
	}
	if e.Error != nil {
		line.Error = e.Error.Error()
	}
	if s := e.Serving; s != nil {
		line.Dashboard = s.Dashboard
	}
	if s := e.Serving; s != nil && e.Type == local.EventReady {
		line.Version, line.GRPC, line.Web, line.Reply, line.Inspect, line.Traces = s.Version, s.GRPC, s.Web, s.Reply, s.Inspection, s.Traces
		for _, w := range s.Workflows {
			line.Workflows = append(line.Workflows, runWorkflow{w.Name, w.Method, json.RawMessage(w.Example)})
		}
	}
	c.write(line)
}

func (c *jsonConsole) write(line any) {
	var b bytes.Buffer
	if term.NewEncoder(&b).Encode(line) != nil {
		return // impossible: the example is JSON
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.out.Write(b.Bytes())
}
