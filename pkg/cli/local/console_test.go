package local

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/call"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/local"
)

// story is a run with all that can happen in it.
func story(r local.Reporter) {
	serving := &local.Serving{
		Version: "test-v1", GRPC: "[::]:9001", Web: "[::]:8080", Reply: "127.0.0.1:4321",
		Workflows: []local.ServingWorkflow{{Name: "one", Method: "test.Entrypoint/Hello", Example: `{"name": "<text>"}`}},
	}
	died := errors.New("signal: killed")
	r.Event(local.Event{Type: local.EventState, StateDir: "/state"})
	r.Event(local.Event{Type: local.EventWarning, Text: "krt.yml:1:1: odd"})
	r.Event(local.Event{Type: local.EventStarting, Nodes: []string{"etl", "model"}})
	r.Event(local.Event{Type: local.EventBuilding, Node: "model"})
	r.Line("etl", "stdout", "loading")
	r.Event(local.Event{Type: local.EventWaiting, Node: "etl", Took: 10 * time.Second})
	r.Event(local.Event{Type: local.EventNodeReady, Node: "etl", Language: "python", Took: 12*time.Second + 310*time.Millisecond})
	r.Event(local.Event{Type: local.EventNodeReady, Node: "model", Language: "go", Took: 20 * time.Millisecond})
	r.Event(local.Event{Type: local.EventReady, Serving: serving})
	r.Event(local.Event{Type: local.EventNodeExited, Node: "model", Error: died})
	r.Event(local.Event{Type: local.EventNodeExited, Node: "model", Error: died, Delay: 100 * time.Millisecond})
	r.Event(local.Event{Type: local.EventReloading, Text: "src/model/main.go", Nodes: []string{"model"}})
	r.Event(local.Event{Type: local.EventReloadFailed, Error: errors.New("no")})
	r.Event(local.Event{Type: local.EventReloadFailed, Error: errors.New("no"), Nodes: []string{"etl", "model"}})
	r.Event(local.Event{Type: local.EventReloading, Text: "krt.yml"})
	r.Event(local.Event{Type: local.EventReloaded, Took: time.Second})
	r.Event(local.Event{Type: local.EventReloaded, Nodes: []string{"etl", "model"}, Took: time.Second})
	r.Line("model", "stderr", "")
	r.Event(local.Event{Type: local.EventStopping})
	r.Event(local.Event{Type: local.EventStopped, Error: died})
}

// at makes it a few minutes after three for a console.
func at(r local.Reporter) local.Reporter {
	r.(*textConsole).now = func() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 6e7, time.Local) }
	return r
}

func TestConsoleText(t *testing.T) {
	var out strings.Builder
	story(at(newConsole(runOptions{streams: term.Streams{Out: &out}, program: "kn krt"})))
	require.Equal(t, `! krt.yml:1:1: odd
… model  building
15:04:05.060 [etl] loading
… etl    not ready yet after 10.00s
✓ etl    python  ready in 12.31s
✓ model  go      ready in 0.02s

✓ test-v1 is ready (press Ctrl-C to stop it)
  gRPC      127.0.0.1:9001  (and at this machine's other addresses)
  web       http://127.0.0.1:8080  (and at this machine's other addresses)
  metrics   http://127.0.0.1:4321/metrics

Try it:
  kn krt invoke one -d '{"name": "<text>"}' --address 127.0.0.1:9001
  curl -H 'Content-Type: application/json' -d '{"name": "<text>"}' http://127.0.0.1:8080/test.Entrypoint/Hello

✗ model  exited (signal: killed), restarting
✗ model  exited (signal: killed), restarting in 0.10s
… src/model/main.go changed, restarting model
✗ not reloaded, the previous code keeps running: no
✗ not reloaded, and the previous code does not run either in etl, model, where it exits: no
… krt.yml changed
✓ reloaded in 1.00s
✓ reloaded etl, model in 1.00s
15:04:05.060 [model] 
stopping …
stopped
`, out.String())
}

func TestConsolePrintsTheStateFolderOnDemand(t *testing.T) {
	var out strings.Builder
	c := newConsole(runOptions{streams: term.Streams{Out: &out}, verbose: true})
	c.Event(local.Event{Type: local.EventState, StateDir: "/state"})
	c.Event(local.Event{Type: local.EventStopped})
	require.Equal(t, "state folder /state\n", out.String(), "nothing had started")
}

func TestConsoleColours(t *testing.T) {
	for name, c := range map[string]struct {
		options runOptions
		want    string
	}{
		"terminal": {runOptions{streams: term.Streams{TTY: true}},
			"15:04:05.060 \x1b[36m[a]\x1b[0m x\n15:04:05.060 \x1b[35m[b]\x1b[0m x\n15:04:05.060 \x1b[36m[a]\x1b[0m x\n"},
		"not wanted": {runOptions{streams: term.Streams{TTY: true}, noColor: true},
			"15:04:05.060 [a] x\n15:04:05.060 [b] x\n15:04:05.060 [a] x\n"},
		"no terminal": {runOptions{}, "15:04:05.060 [a] x\n15:04:05.060 [b] x\n15:04:05.060 [a] x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			c.options.streams.Out = &out
			console := at(newConsole(c.options))
			for _, node := range []string{"a", "b", "a"} {
				console.Line(node, "stdout", "x")
			}
			require.Equal(t, c.want, out.String())
		})
	}
}

// What nodes write, and errors say, may have been sent by a client.
func TestConsoleEscapesWhatSteersATerminal(t *testing.T) {
	const hostile, want = "A\x1b]0;pwn\x07\u009b2J\u202eZ", `A\x1b]0;pwn\a\u009b2J\u202eZ`
	for name, c := range map[string]struct {
		show func(local.Reporter)
		want string
	}{
		"a line":       {func(r local.Reporter) { r.Line("etl", "stderr", "ValueError:\t"+hostile) }, "15:04:05.060 [etl] ValueError:\t" + want},
		"a warning":    {func(r local.Reporter) { r.Event(local.Event{Type: local.EventWarning, Text: hostile}) }, "! " + want},
		"a file":       {func(r local.Reporter) { r.Event(local.Event{Type: local.EventReloading, Text: hostile}) }, "… " + want + " changed"},
		"a bad bundle": {failing(local.EventReloadFailed, hostile), "✗ not reloaded, the previous code keeps running: " + want},
		"an exit":      {failing(local.EventNodeExited, hostile), "✗   exited (" + want + "), restarting"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			c.show(at(newConsole(runOptions{streams: term.Streams{Out: &out}})))
			require.Equal(t, c.want+"\n", out.String())
		})
	}
	var out strings.Builder
	newConsole(runOptions{streams: term.Streams{Out: &out}, output: term.OutputJSON}).Line("etl", "stdout", hostile)
	require.Contains(t, out.String(), `"line":"A\u001b]0;pwn\u0007\u009b2J\u202eZ"`)
}

func failing(event local.EventType, text string) func(local.Reporter) {
	return func(r local.Reporter) { r.Event(local.Event{Type: event, Error: errors.New(text)}) }
}

func TestConsoleJSON(t *testing.T) {
	var out strings.Builder
	story(newConsole(runOptions{streams: term.Streams{Out: &out}, output: term.OutputJSON}))
	var got []string
	for line := range strings.Lines(out.String()) {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		at, _ := object["time"].(string)
		_, err := time.Parse(time.RFC3339Nano, at)
		require.NoError(t, err)
		got = append(got, strings.Replace(line, at, "T", 1))
	}
	require.Equal(t, `{"time":"T","event":"state","stateDir":"/state"}
{"time":"T","event":"warning","text":"krt.yml:1:1: odd"}
{"time":"T","event":"starting","nodes":["etl","model"]}
{"time":"T","event":"building","node":"model"}
{"time":"T","node":"etl","stream":"stdout","line":"loading"}
{"time":"T","event":"waiting","node":"etl","took":10}
{"time":"T","event":"node-ready","node":"etl","language":"python","took":12.31}
{"time":"T","event":"node-ready","node":"model","language":"go","took":0.02}
{"time":"T","event":"ready","version":"test-v1","grpc":"[::]:9001","web":"[::]:8080","reply":"127.0.0.1:4321","workflows":[{"name":"one","rpc":"test.Entrypoint/Hello","example":{"name":"<text>"}}]}
{"time":"T","event":"node-exited","node":"model","error":"signal: killed"}
{"time":"T","event":"node-exited","node":"model","delay":0.1,"error":"signal: killed"}
{"time":"T","event":"reloading","nodes":["model"],"text":"src/model/main.go"}
{"time":"T","event":"reload-failed","error":"no"}
{"time":"T","event":"reload-failed","nodes":["etl","model"],"error":"no"}
{"time":"T","event":"reloading","text":"krt.yml"}
{"time":"T","event":"reloaded","took":1}
{"time":"T","event":"reloaded","nodes":["etl","model"],"took":1}
{"time":"T","node":"model","stream":"stderr","line":""}
{"time":"T","event":"stopping"}
{"time":"T","event":"stopped","error":"signal: killed"}
`, strings.Join(got, ""))
}

func TestHowToCallAStream(t *testing.T) {
	var out strings.Builder
	r := newConsole(runOptions{streams: term.Streams{Out: &out}, program: "kn krt"})
	r.Event(local.Event{Type: local.EventReady, Serving: &local.Serving{Web: "127.0.0.1:8080", GRPC: call.DefaultAddress,
		Workflows: []local.ServingWorkflow{{Name: "one", Method: "test.Entrypoint/Hello", Streams: true, Example: "{}"}}}})
	require.Contains(t, out.String(), "  curl -N -H 'Content-Type: application/json' -d '{}' http://127.0.0.1:8080/test.Entrypoint/Hello\n")
}
