package local

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// pythonSpec is a Python node with the given code.
func pythonSpec(t *testing.T, code string) spec {
	t.Helper()
	python, err := pyrunner.FindPython(os.Getenv)
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.py"), []byte(code), 0o600))
	return spec{node: "etl", language: languagePython, dir: dir, env: append(os.Environ(),
		"KRT_PYTHON="+python, "KRT_NODE_NAME=etl", "KRT_BASE_PATH="+dir, "KRT_HANDLER_PATH=main.py")}
}

const pidNode = `
import os
from google.protobuf.wrappers_pb2 import StringValue

def handler(ctx, data):
    print("called")
    return StringValue(value=str(os.getpid()))
`

// post sends an event to a hosted node, and returns the response's text if it is an event.
func post(ctx context.Context, i *instance) (status int, text string, err error) {
	client := &http.Client{Transport: &http.Transport{DialContext: i.door.dial, DisableKeepAlives: true}}
	in := &event.Event{ID: "1", Source: "test", Type: event.TypeMessage, Message: "google.protobuf.StringValue", Workflow: "flow"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.door.url+"/", bytes.NewReader(nil))
	if err != nil {
		return 0, "", err
	}
	in.WriteHeader(req.Header)
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	return textOf(res)
}

// textOf reads and closes the response of a node.
func textOf(res *http.Response) (status int, text string, err error) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	m := &wrapperspb.StringValue{}
	if err == nil && res.StatusCode == http.StatusOK {
		err = proto.Unmarshal(body, m)
	}
	return res.StatusCode, m.Value, err
}

func workerOf(t *testing.T, i *instance) int {
	t.Helper()
	status, text, err := post(t.Context(), i)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	pid, err := strconv.Atoi(text)
	require.NoError(t, err)
	return pid
}

// What is for a node that has ended, such as a retry, is looked up nowhere else.
func TestADoorThatIsClosedLeadsNowhere(t *testing.T) {
	var l links
	d := l.open("etl")
	at, err := url.Parse(d.url)
	require.NoError(t, err)
	conn, err := l.Dial(at.Host)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	d.close()
	_, err = l.Dial(at.Host)
	require.True(t, httpclient.DialFailed(err), "%v", err)
	require.ErrorIs(t, err, errAway)
	h, _, _ := l.Handler(at.Host)
	require.Nil(t, h)
	conn, err = l.Dial("127.0.0.1:80")
	require.NoError(t, err)
	require.Nil(t, conn, "it is not within this process")
}

func TestHostedNodeServesAndStops(t *testing.T) {
	r := newRecorder()
	f := newFleet(r, fast())
	instances, err := f.start(t.Context(), []spec{pythonSpec(t, pidNode)})
	require.NoError(t, err)
	require.NotContains(t, r.output(), inProcess, "nobody can reach it there")
	first := workerOf(t, instances[0])
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	requireGone(t, first)
	// Until the node has noticed that, a request may still be given to the worker that is gone.
	r.until(t, "its replacement", func() bool { return strings.Contains(r.output(), "worker exited, starting another") })
	second := workerOf(t, instances[0]) // waits for the worker that replaces it
	require.NotEqual(t, first, second)
	near, err := f.links.Dial("elsewhere:80")
	require.NoError(t, err)
	require.Nil(t, near, "other hosts are not hosted")
	h, _, _ := f.links.Handler("elsewhere:80")
	require.Nil(t, h)
	f.stop(time.Minute)
	requireGone(t, second)
	require.Contains(t, r.output(), "called")
	_, _, err = post(t.Context(), instances[0])
	require.Error(t, err)
	require.Empty(t, f.links.byHost)
}

// call sends an event to a hosted node without a connection, as the entrypoint does.
func call(ctx context.Context, f *fleet, i *instance) (status int, text string, err error) {
	to, err := url.Parse(i.door.url + "/")
	if err != nil {
		return 0, "", err
	}
	in := &event.Event{
		ID: "1", Source: "test", Type: event.TypeMessage, Message: "google.protobuf.StringValue", Workflow: "flow",
		Deadline: time.Now().Add(time.Minute),
	}
	header := http.Header{}
	in.WriteHeader(header)
	client := httpclient.New(httpclient.Options{Near: &f.links})
	defer client.Close()
	res, err := client.Post(ctx, to, header, httpclient.Body{Whole: true})
	if err != nil {
		return 0, "", err
	}
	return textOf(res)
}

const waitingNode = `
import os, time
from google.protobuf.wrappers_pb2 import StringValue

def handler(ctx, data):
    print("begun", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    return StringValue(value="done")
`

// A call without a connection ends well when the node stops meanwhile, and one whose caller
// leaves does not keep the node.
func TestHostedNodeFinishesItsCalls(t *testing.T) {
	r := newRecorder()
	f := newFleet(r, fast())
	s := pythonSpec(t, waitingNode)
	instances, err := f.start(t.Context(), []spec{s})
	require.NoError(t, err)
	left, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, _, err := call(left, f, instances[0])
		gone <- err
	}()
	require.Eventually(t, func() bool { return strings.Count(r.output(), "begun") == 1 }, time.Minute, 10*time.Millisecond)
	leave()
	require.ErrorIs(t, <-gone, context.Canceled)

	type result struct {
		status int
		text   string
		err    error
	}
	results := make(chan result, 1)
	go func() {
		status, text, err := call(t.Context(), f, instances[0])
		results <- result{status, text, err}
	}()
	require.Eventually(t, func() bool { return strings.Count(r.output(), "begun") == 2 }, time.Minute, 10*time.Millisecond)
	stopped := make(chan struct{})
	go func() {
		f.stop(time.Minute)
		close(stopped)
	}()
	host := strings.TrimPrefix(instances[0].door.url, "http://")
	require.Eventually(t, func() bool {
		h, _, done := f.links.Handler(host)
		if h != nil {
			done()
		}
		return h == nil
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600))
	require.Equal(t, result{status: http.StatusOK, text: "done"}, <-results)
	<-stopped
}

// A node whose Python has been killed starts again, and whoever calls it meanwhile waits for it.
func TestCallersWaitForAHostedNodeThatStartsAgain(t *testing.T) {
	r := newRecorder()
	f := newFleet(r, fast())
	t.Cleanup(func() { f.stop(time.Minute) })
	s := pythonSpec(t, `
import os, time
from google.protobuf.wrappers_pb2 import StringValue

def init(ctx):
    print("init", flush=True)
    while os.path.exists("started") and not os.path.exists("go"):
        time.sleep(0.01)
    open("started", "w").close()

def handler(ctx, data):
    return StringValue(value=str(os.getppid()))
`)
	s.env = append(s.env, "KRT_FORK=true")
	instances, err := f.start(t.Context(), []spec{s})
	require.NoError(t, err)
	_, text, err := call(t.Context(), f, instances[0])
	require.NoError(t, err)
	parent, err := strconv.Atoi(text)
	require.NoError(t, err)
	require.NotEqual(t, os.Getpid(), parent)
	require.NoError(t, syscall.Kill(parent, syscall.SIGKILL))
	r.await(t, EventNodeExited, 1)
	type result struct {
		status int
		err    error
	}
	results := make(chan result, 6)
	for range cap(results) {
		go func() {
			status, _, err := call(t.Context(), f, instances[0])
			results <- result{status, err}
		}()
	}
	require.Eventually(t, func() bool { return strings.Count(r.output(), "init") == 2 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600))
	for range cap(results) {
		require.Equal(t, result{status: http.StatusOK}, <-results)
	}
}

// panicking is a Reporter that panics at the first line with "called".
type panicking struct {
	*recorder
	once sync.Once
}

func (p *panicking) Line(node, stream, line string) {
	p.recorder.Line(node, stream, line)
	if strings.Contains(line, "called") {
		p.once.Do(func() { panic("no room") })
	}
}

// A panic of a front is its node's failure, and not the end of the run.
func TestAPanicOfAHostedFrontIsItsNodesFailure(t *testing.T) {
	r := newRecorder()
	f := newFleet(&panicking{recorder: r}, fast())
	t.Cleanup(func() { f.stop(time.Minute) })
	instances, err := f.start(t.Context(), []spec{pythonSpec(t, pidNode)})
	require.NoError(t, err)
	_, _, _ = post(t.Context(), instances[0])
	r.await(t, EventNodeExited, 1)
	require.ErrorContains(t, r.of(EventNodeExited)[0].Error, "its front panicked: no room")
	require.Eventually(t, func() bool {
		status, _, err := post(t.Context(), instances[0])
		return err == nil && status == http.StatusOK
	}, time.Minute, 10*time.Millisecond)
}

func TestHostedNodeThatDoesNotStart(t *testing.T) {
	f, _ := newTestFleet(t, fast())
	_, err := f.start(t.Context(), []spec{pythonSpec(t, "import nowhere\n")})
	failed := (*StartError)(nil)
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "etl", failed.Node)
	require.Contains(t, failed.Err.Error(), "nowhere")
	require.Contains(t, failed.Output[len(failed.Output)-1], "nowhere", "the traceback comes with it")
}

func TestHostedNodeIsKilledInAHurry(t *testing.T) {
	for name, code := range map[string]string{
		"in init": `
import os, time
def init(ctx):
    print("child", os.getpid())
    time.sleep(600)
def handler(ctx, data):
    return data
`,
		"in handler": `
import os, time
def handler(ctx, data):
    print("child", os.getpid())
    time.sleep(600)
`,
		"at its end": `
import atexit, os, time
print("child", os.getpid())
atexit.register(time.sleep, 600)
def handler(ctx, data):
    return data
`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder()
			f := newFleet(r, fast())
			started := make(chan struct{})
			go func() {
				defer close(started)
				instances, err := f.start(context.Background(), []spec{pythonSpec(t, code)})
				if err == nil && name == "in handler" {
					_, _, _ = post(context.Background(), instances[0])
				}
			}()
			pid := childPID(t, r)
			if name == "at its end" {
				<-started
			}
			f.stop(time.Millisecond)
			requireGone(t, pid)
			<-started
		})
	}
}

func TestLookup(t *testing.T) {
	get := lookup([]string{"A=1", "B=x=y", "A=2", "C"})
	require.Equal(t, [4]string{"2", "x=y", "", ""}, [4]string{get("A"), get("B"), get("C"), get("D")})
}
