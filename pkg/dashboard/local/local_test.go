package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/runner"
)

// The test binary is also the nodes of these tests.
const nodeVariable = "DASHBOARD_TEST_NODE"

func TestMain(m *testing.M) {
	switch os.Getenv(nodeVariable) {
	case "":
		os.Exit(m.Run())
	case "fails":
		fmt.Println("ImportError: no module named pandas")
		os.Exit(3)
	default:
		runner.Start(nil, func(c *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
			message, err := data.UnmarshalNew()
			c.Logger.Warn("handled")
			if strings.Contains(string(data.Value), "crash") {
				fmt.Println("Segmentation fault")
				os.Exit(5)
			}
			return message, err
		})
	}
}

const testProto = `syntax = "proto3";
package test;
import "google/protobuf/wrappers.proto";
service Entrypoint {
  rpc Hello(google.protobuf.StringValue) returns (google.protobuf.StringValue);
  rpc Both(google.protobuf.StringValue) returns (google.protobuf.StringValue);
}
`

const testManifest = `version: test-v1
description: A version for tests.
entrypoint:
  proto: public.proto
nodes:
  - {name: hello, image: konstellation/kre-go:1.9.0, src: bin/hello, gpu: {count: 2}}
  - {name: world, image: konstellation/kre-go:1.9.0, src: bin/world}
workflows:
  - {name: one, entrypoint: Hello, sequential: [hello]}
  - {name: two, entrypoint: Both, sequential: [hello, world]}
`

// newBundle writes a bundle whose nodes are this test binary.
func newBundle(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "bundle")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	for name, text := range map[string]string{
		"krt.yml": testManifest, "public.proto": testProto, "bin/hello": program("runs"), "bin/world": program("runs"),
	} {
		write(t, dir, name, text)
	}
	return dir
}

// program is a program of a node of the given kind.
func program(kind string) string {
	return fmt.Sprintf("#!/bin/sh\n%s=%s exec %s\n", nodeVariable, kind, os.Args[0])
}

// write writes a file of the bundle in one stroke.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path+".tmp", []byte(text), 0o755))
	require.NoError(t, os.Rename(path+".tmp", path))
}

// discard is a Reporter that keeps nothing.
type discard struct{}

func (discard) Line(string, string, string) {}
func (discard) Event(local.Event)           {}

// testRun is a run with its source.
type testRun struct {
	*Source
	stop func() error
}

func startRun(t *testing.T, dir string) testRun {
	t.Helper()
	r := testRun{Source: New(discard{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = local.Run(ctx, dir, local.Options{Reporter: r.Source, StateDir: filepath.Join(t.TempDir(), "state")})
	}()
	r.stop = func() error { cancel(); <-ended; return err }
	t.Cleanup(func() { _ = r.stop() })
	return r
}

var ref = source.Ref{Namespace: "local", Name: "test-v1"}

// until returns the version once it is as it should be, as a page would see it.
func (r testRun) until(t *testing.T, is func(source.Version) bool) (found source.Version) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last source.Version
	err := r.Watch(ctx, source.Ref{}, func() {
		versions, err := r.Versions(ctx)
		require.NoError(t, err)
		if len(versions) == 0 {
			return
		}
		if last = versions[0]; is(last) && found.Name == "" {
			found = last
			cancel()
		}
	})
	require.NotEmpty(t, found.Name, "%v; the last was %+v", err, last)
	return found
}

func isReady(v source.Version) bool { return v.State == source.Ready }

func TestARunFromItsStartToItsEnd(t *testing.T) {
	r := startRun(t, newBundle(t))
	v := r.until(t, isReady)
	require.NotEmpty(t, v.Address)
	require.WithinDuration(t, time.Now(), v.Created, time.Hour)
	v.Address, v.Web, v.Created = "", "", time.Time{}
	require.Equal(t, source.Version{
		Ref: ref, Description: "A version for tests.", State: source.Ready, Phase: "Running", Delivery: "Direct",
		Entrypoint: source.Entrypoint{State: source.Ready},
		Nodes: []source.Node{
			{Name: "hello", State: source.Ready, Pods: source.NoPods, GPU: true, GPUs: "2 × GPU", Source: "bin/hello"},
			{Name: "world", State: source.Ready, Pods: source.NoPods, Source: "bin/world"},
		},
		Workflows: []source.Workflow{
			{Name: "one", Method: "test.Entrypoint/Hello", Nodes: []string{"hello"}, State: source.Ready},
			{Name: "two", Method: "test.Entrypoint/Both", Nodes: []string{"hello", "world"}, State: source.Ready},
		},
	}, v)
	other := source.Ref{Namespace: "local", Name: "other"}
	_, err := r.Version(t.Context(), other)
	require.Equal(t, &source.NotFoundError{Ref: other}, err)
	require.Equal(t, err, r.Watch(t.Context(), other, func() { t.Error("it was called") }))

	require.NoError(t, r.stop())
	calls := 0
	require.Equal(t, errOver, r.Watch(t.Context(), ref, func() { calls++ }))
	require.NotZero(t, calls)
	shown, err := r.Version(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, source.Stopped, shown.State)
	require.Equal(t, source.Stopped, shown.Workflows[1].State)
}

func TestANodeThatCrashes(t *testing.T) {
	r := startRun(t, newBundle(t))
	post(t, r.until(t, isReady), "Hello", "crash")
	// It is ready again at once, so a page may see no more than that it was started again: once for
	// each attempt of the entrypoint to send the request.
	v := r.until(t, func(v source.Version) bool { return v.Nodes[0].Restarts > 0 && isReady(v) })
	require.Zero(t, v.Nodes[1].Restarts)
}

func TestFailuresAreShown(t *testing.T) {
	r := startRun(t, newBundle(t))
	r.until(t, isReady)
	r.Line("hello", "stderr", "Segmentation fault")
	r.Event(local.Event{Type: local.EventNodeExited, Node: "hello", Error: errors.New("exit status 5")})
	v, err := r.Version(t.Context(), ref)
	require.NoError(t, err)
	const cause = "The process of node hello ended (exit status 5); its last line was: Segmentation fault."
	require.Equal(t, source.Node{
		Name: "hello", State: source.Failed, Reason: "Exited", Cause: cause + " It is started again.", Next: whenSaved,
		Pods: source.NoPods, GPU: true, GPUs: "2 × GPU", Source: "bin/hello", Restarts: 1,
	}, v.Nodes[0])
	require.Equal(t, source.Failed, v.State)
	require.Equal(t, "Failed", v.Phase)
	require.Equal(t, v.Nodes[0].Cause, v.Cause)
	for _, w := range v.Workflows {
		require.Equal(t, source.Failed, w.State)
		require.Equal(t, v.Nodes[0].Cause, w.Cause)
	}
	r.Event(local.Event{Type: local.EventReloadFailed, Nodes: []string{"hello"}, Error: errors.New("no")})
	v, err = r.Version(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, "The last change was not loaded, and the previous code of hello does not run either: it exits. The reason: no", v.Cause)
}

func TestReloads(t *testing.T) {
	dir := newBundle(t)
	r := startRun(t, dir)
	r.until(t, isReady)
	write(t, dir, "bin/world", program("fails"))
	v := r.until(t, func(v source.Version) bool { return v.Cause != "" })
	require.Equal(t, source.Ready, v.State, "the previous code runs")
	require.Equal(t, "Running", v.Phase)
	require.Contains(t, v.Cause, "The last change was not loaded, and the previous code keeps running: node \"world\" did not start")
	require.Contains(t, v.Cause, "no module named pandas")

	write(t, dir, "bin/world", program("runs"))
	r.until(t, func(v source.Version) bool { return v.Cause == "" && isReady(v) && v.Phase == "Running" })
	write(t, dir, "krt.yml", strings.Replace(testManifest, "test-v1", "test-v2", 1))
	v = r.until(t, func(v source.Version) bool { return v.Name == "test-v2" })
	require.Len(t, v.Nodes, 2)
	_, err := r.Version(t.Context(), ref)
	require.Equal(t, &source.NotFoundError{Ref: ref}, err)
}

func TestANodeThatDoesNotStart(t *testing.T) {
	dir := newBundle(t)
	write(t, dir, "bin/world", program("fails"))
	r := startRun(t, dir)
	v := r.until(t, func(v source.Version) bool { return v.State == source.Failed })
	require.Contains(t, v.Cause, `The run has ended: node "world" did not start`)
	world := v.Nodes[1]
	require.Equal(t, source.Failed, world.State)
	require.Equal(t, "NotStarted", world.Reason)
	require.Contains(t, world.Cause, "ImportError: no module named pandas")
	require.Equal(t, source.Failed, v.Workflows[1].State)
	require.Error(t, r.stop())
}
