package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
)

// The test binary is also a node of these tests. It exits when a file "crash" is next to its
// program: at its start, or with the next request; with a file "wait" there it does not start
// until that is removed, and with a file "hold" a stream does not go on.
const nodeVariable = "BROWSER_TEST_NODE"

func serveNode(folder string) {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	}
	crash := func() {
		if exists("crash") {
			fmt.Println("panic: <b>no model</b> at /models/price")
			os.Exit(5)
		}
	}
	for exists("wait") {
		time.Sleep(10 * time.Millisecond)
	}
	crash()
	runner.Start(nil, func(c *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		crash()
		text := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(text); err != nil {
			return nil, err
		}
		if words, ok := strings.CutPrefix(text.Value, "spell "); ok {
			return nil, spell(c, strings.Fields(words), func() bool { return exists("hold") })
		}
		return text, logAsAsked(c, text.Value)
	})
}

// spell sends words to the client of a streaming rpc, and after the first one waits until nothing holds it.
func spell(c *runner.HandlerContext, words []string, holds func() bool) error {
	for _, word := range words {
		if err := c.Send(wrapperspb.String(word)); err != nil {
			return err
		}
		for holds() && c.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

const (
	sceneManifest = `version: scene-v1
description: A version for tests of the dashboard.
entrypoint: {proto: public.proto}
nodes:
  - {name: etl, image: konstellation/kre-go:1.9.0, src: bin/etl}
  - {name: model, image: konstellation/kre-go:1.9.0, src: bin/model}
workflows:
  - {name: predict, entrypoint: Predict, sequential: [etl, model]}
  - {name: save, entrypoint: Save, sequential: [etl]}
`
	sceneProto = `syntax = "proto3";
package scene;
import "google/protobuf/wrappers.proto";
service Entrypoint {
  rpc Predict(google.protobuf.StringValue) returns (google.protobuf.StringValue);
  rpc Save(google.protobuf.StringValue) returns (google.protobuf.StringValue);
}
`
)

// scene writes a bundle whose nodes are the test binary, and returns its folder.
func scene(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "scene")
	for name, text := range map[string]string{"krt.yml": sceneManifest, "public.proto": sceneProto} {
		save(t, dir, name, text)
	}
	for _, node := range []string{"etl", "model"} {
		saveNode(t, dir, node)
	}
	return dir
}

// saveNode writes the program of a node; with it the run restarts the node.
func saveNode(t *testing.T, dir, node string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), node)
	require.NoError(t, os.MkdirAll(folder, 0o700))
	save(t, dir, "bin/"+node, fmt.Sprintf("#!/bin/sh\n# %s\n%s=%s exec %s\n", folder, nodeVariable, folder, os.Args[0]))
}

// flag makes, or removes, a file next to the node's program: "crash", "wait" or "hold".
func flagNode(t *testing.T, dir, node, name string, set bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "bin", node))
	require.NoError(t, err)
	_, folder, _ := strings.Cut(string(text), "# ")
	folder, _, _ = strings.Cut(folder, "\n")
	path := filepath.Join(folder, name)
	if set {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		return
	}
	require.NoError(t, os.Remove(path))
}

// save writes a file of a bundle in one stroke.
func save(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path+".tmp", []byte(text), 0o755))
	require.NoError(t, os.Rename(path+".tmp", path))
}
