package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

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
  - {name: hello, image: konstellation/kre-go:1.9.0, src: bin/hello}
  - {name: world, image: konstellation/kre-go:1.9.0, src: bin/world}
workflows:
  - {name: one, entrypoint: Hello, sequential: [hello]}
  - {name: two, entrypoint: Both, sequential: [hello, world]}
`

// newBundle writes a bundle whose nodes are this test binary.
func newBundle(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "bundle")
	write(t, filepath.Join(dir, "krt.yml"), testManifest)
	write(t, filepath.Join(dir, "public.proto"), testProto)
	writeNode(t, dir, "hello", "greets", "hello")
	writeNode(t, dir, "world", "greets", "world")
	return dir
}

// writeNode writes a node's program as an editor does, in one stroke.
func writeNode(t *testing.T, dir, name, kind, greeting string) {
	t.Helper()
	path := filepath.Join(dir, "bin", name)
	write(t, path+".tmp", fmt.Sprintf("#!/bin/sh\nGREETING=%s %s=%s exec %s\n", greeting, kindVariable, kind, os.Args[0]))
	require.NoError(t, os.Chmod(path+".tmp", 0o755))
	require.NoError(t, os.Rename(path+".tmp", path))
}

// save writes a file of the bundle as an editor does, in one stroke: what is half written might be loaded.
func save(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.Rename(write(t, path+".tmp", content), path))
}

// testRun is a version that runs in a test.
type testRun struct {
	*recorder
	serving *Serving
	conn    *grpc.ClientConn
	stop    func() error // stops it and returns Run's error
	state   string
}

func startRun(t *testing.T, path string, o Options) *testRun {
	t.Helper()
	r := &testRun{recorder: newRecorder(), state: filepath.Join(t.TempDir(), "state")}
	o.Reporter, o.StateDir = r, r.state
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var failure error
	go func() {
		defer close(done)
		failure = Run(ctx, path, o)
		r.Event(Event{Type: "over"}) // so that who waits looks
	}()
	r.stop = func() error { cancel(); <-done; return failure }
	t.Cleanup(func() { _ = r.stop() })
	r.until(t, "ready", func() bool {
		if len(r.of("over")) > 0 {
			require.NoError(t, r.stop())
		}
		return len(r.of(EventReady)) > 0
	})
	r.serving = r.of(EventReady)[0].Serving
	conn, err := grpc.NewClient(r.serving.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	r.conn = conn
	return r
}

func (r *testRun) call(rpc, text string) (string, error) {
	out := &wrapperspb.StringValue{}
	err := r.conn.Invoke(context.Background(), "/test.Entrypoint/"+rpc, wrapperspb.String(text), out)
	return out.Value, err
}

func (r *testRun) requireAnswer(t *testing.T, rpc, text, want string) {
	t.Helper()
	answer, err := r.call(rpc, text)
	require.NoError(t, err)
	require.Equal(t, want, answer)
}

// crowd calls without a pause until the function it returns is called, which
// fails the test if any call failed.
func (r *testRun) crowd(t *testing.T) (disperse func()) {
	var (
		wait   sync.WaitGroup
		enough atomic.Bool
		calls  atomic.Int64
		failed atomic.Value
	)
	for range 8 {
		wait.Go(func() {
			for !enough.Load() {
				if _, err := r.call("Both", "x"); err != nil {
					failed.Store(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	return func() {
		t.Helper()
		enough.Store(true)
		wait.Wait()
		require.Nil(t, failed.Load(), "after %d calls", calls.Load())
		require.NotZero(t, calls.Load())
	}
}

// killNode kills the process of node hello.
func killNode(t *testing.T, r *testRun) {
	t.Helper()
	answer, err := r.call("Hello", "pid")
	require.NoError(t, err)
	pid, err := strconv.Atoi(answer)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}
