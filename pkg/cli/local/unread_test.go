//go:build unix

package local

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
)

// unreadProgram makes TestUnreadProgram the program of TestARunWhoseOutputIsNotReadStopsInOrder: it is the bundle's
// folder.
const unreadProgram = "TEST_UNREAD_PROGRAM"

const unreadHandler = `import os, signal, time
from google.protobuf.wrappers_pb2 import StringValue
def handler(ctx, data):
    text = StringValue()
    data.Unpack(text)
    while not os.path.exists(text.value):
        print("waiting")
        time.sleep(0.01)
    return StringValue(value="done")
`

// A request that is being served has its response when the reader of the output ends, and nothing stays behind.
func TestARunWhoseOutputIsNotReadStopsInOrder(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		"public.proto": "syntax = \"proto3\";\npackage test;\nimport \"google/protobuf/wrappers.proto\";\n" +
			"service Entrypoint { rpc Wait(google.protobuf.StringValue) returns (google.protobuf.StringValue); }\n",
		"krt.yml": "version: test-v1\ndescription: A version for tests.\nentrypoint: {proto: public.proto}\n" +
			"nodes:\n  - {name: wait, image: konstellation/kre-py:1.9.0, src: wait.py}\n" +
			"workflows:\n  - {name: wait, entrypoint: Wait, sequential: [wait]}\n",
		"wait.py": unreadHandler,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	const tries = 3
	for try := 1; !stopsUnread(t, dir, temp); try++ {
		require.Less(t, try, tries, "the request is unfinished each time")
	}
	left, err := filepath.Glob(filepath.Join(temp, "krt-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// stopsUnread requires that a run whose output is not read any more ends in order; false if its request took longer than it
// waits for that, which a busy machine may need.
func stopsUnread(t *testing.T, dir, temp string) (inOrder bool) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	var printed bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnreadProgram$")
	cmd.Env = append(os.Environ(), unreadProgram+"="+dir, "TMPDIR="+temp, "XDG_STATE_HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = writer, io.MultiWriter(&printed, os.Stderr)
	cmd.WaitDelay = time.Minute // for that
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.NoError(t, writer.Close())

	lines := bufio.NewScanner(reader)
	web := ""
	for web == "" && lines.Scan() {
		var event runEvent
		require.NoError(t, json.Unmarshal(lines.Bytes(), &event))
		web = event.Web
	}
	require.NotEmpty(t, web)
	file := filepath.Join(t.TempDir(), "go-on")
	answer := make(chan string, 1)
	go func() {
		response, err := http.Post("http://"+web+"/test.Entrypoint/Wait", "application/json", strings.NewReader(`"`+file+`"`))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answer <- string(text)
	}()
	waits := false
	for !waits && lines.Scan() {
		waits = strings.Contains(lines.Text(), `"waiting"`)
	}
	require.True(t, waits)
	require.NoError(t, reader.Close())
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", web)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond, "it stops")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	text, err := <-answer, cmd.Wait()
	if err != nil && strings.Contains(printed.String(), " requests unfinished after ") {
		return false
	}
	require.Equal(t, `"done"`, text)
	require.NoError(t, err)
	return true
}

// TestUnreadProgram runs a version and prints to its standard output, so it ends here.
func TestUnreadProgram(t *testing.T) {
	dir := os.Getenv(unreadProgram)
	if dir == "" {
		t.Skip("it is a program for another test")
	}
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(term.Streams{Out: os.Stdout, Err: os.Stderr})...)
	root.SetArgs([]string{"run", dir, "--grpc-port", "0", "--web-port", "0", "-o", "json"})
	os.Exit(term.Exit(t.Context(), os.Stderr, root.ExecuteContext(t.Context())))
}

func TestABrokenPipeEndsTheProcessesOfARun(t *testing.T) {
	_, _, release := interrupts(t.Context())
	defer release()
	require.EqualError(t, exec.CommandContext(t.Context(), "sh", "-c", "kill -PIPE $$").Run(), "signal: broken pipe")
}
