package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/keypair/keypairtest"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/queue/server"
)

// patient is for what a busy machine may take long to do.
const patient = 2 * time.Minute

var step = queue.Step{Workflow: "greet", Node: "model"}

// installed is a queue with its key, on a folder that outlives it.
type installed struct {
	key    []byte
	config server.Config
}

func install(t *testing.T) *installed {
	t.Helper()
	i := &installed{key: credential.NewKey()}
	i.config = server.Config{Listen: "127.0.0.1:0", Keys: t.TempDir(), Folder: t.TempDir(), Bytes: 256 << 20}
	require.NoError(t, os.WriteFile(filepath.Join(i.config.Keys, "current"), i.key, 0o600))
	return i
}

// start starts the queue until the test ends.
func (i *installed) start(t *testing.T) *server.Queue {
	t.Helper()
	q, err := server.Start(t.Context(), i.config, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(q.Stop)
	return q
}

// holder is a version's entrypoint.
func holder(version string) credential.Holder {
	return credential.Holder{Role: credential.Queue, Namespace: "team", Version: version}
}

// client returns a client for a version's stream that shows a credential.
func (i *installed) client(t *testing.T, q *server.Queue, version, credential string) *client.Client {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, queue.FileCredential), []byte(credential+"\n"), 0o600))
	c, err := client.Connect(queue.Settings{URL: "nats://" + q.Addr(), Credentials: folder, MaxBytes: 1 << 20},
		client.Options{Namespace: "team", Version: version, Steps: []queue.Step{step}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func (i *installed) own(t *testing.T, q *server.Queue, version string) *client.Client {
	t.Helper()
	c := i.client(t, q, version, credential.New(i.key, holder(version)))
	eventually(t, func() error { return c.Ensure(t.Context()) })
	return c
}

func eventually(t *testing.T, try func() error) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool { err = try(); return err == nil }, patient, 5*time.Millisecond, "%s",
		lazy(func() string { return fmt.Sprint(err) }))
}

// lazy is text that is made when it is printed.
type lazy func() string

// String implements fmt.Stringer.
func (l lazy) String() string { return l() }

func event(id string) client.Message {
	return client.Message{Step: step, ID: id, Header: http.Header{"Ce-Id": {id}}, Data: []byte(id)}
}

func fetchOne(t *testing.T, c *client.Client) (got *client.Received) {
	t.Helper()
	eventually(t, func() error {
		err := c.Fetch(t.Context(), step, 1, 1<<20, func(r *client.Received) { got = r })
		if err == nil && got == nil {
			err = fmt.Errorf("no event")
		}
		return err
	})
	return got
}

func events(t *testing.T, c *client.Client) int64 {
	t.Helper()
	var status queue.Status
	eventually(t, func() (err error) {
		status, err = c.Status(t.Context(), true)
		return err
	})
	return status.Events
}

// publish publishes, also where the disk takes its time: the event is there once.
func publish(t *testing.T, c *client.Client, id string) {
	t.Helper()
	eventually(t, func() error { return c.Publish(t.Context(), event(id)) })
}

func TestVersionHasAStreamOfItsOwn(t *testing.T) {
	i := install(t)
	q := i.start(t)
	a, b := i.own(t, q, "a"), i.own(t, q, "b")
	publish(t, a, "one")
	publish(t, b, "two")
	require.Equal(t, "one", string(fetchOne(t, a).Data))
	publish(t, a, "three")
	require.EqualValues(t, 2, events(t, a))
	require.EqualValues(t, 1, events(t, b))
	eventually(t, func() error { _, err := a.Drop(t.Context(), queue.Step{}); return err })
	require.Zero(t, events(t, a))
	require.EqualValues(t, 1, events(t, b))
}

// A version that knows another one's names still reaches nothing of it.
func TestVersionReachesNothingOfAnother(t *testing.T) {
	i := install(t)
	q := i.start(t)
	b := i.own(t, q, "b")
	publish(t, b, "secret")

	thief := i.client(t, q, "b", credential.New(i.key, holder("a")))
	eventually(t, func() error { // the connection is there once it has a response
		found, err := thief.Find(t.Context(), "team", "b")
		require.Nil(t, found)
		return err
	})
	eventually(t, func() error {
		err := thief.Publish(t.Context(), event("forged"))
		require.Error(t, err)
		if errors.Is(err, queue.ErrMissing) {
			return nil
		}
		return err // it has taken too long
	})
	eventually(t, func() error { return thief.Delete(t.Context(), "team", "b") }) // there is none to delete
	require.EqualValues(t, 1, events(t, b))

	eventually(t, func() error { return thief.Ensure(t.Context()) }) // it is one in its own account
	publish(t, thief, "forged")
	require.EqualValues(t, 1, events(t, b))
	require.Error(t, i.client(t, q, "a", credential.New(i.key, holder("a"))).Ensure(t.Context()), "a second stream")
}

func TestWhoHasNoCredentialIsRefused(t *testing.T) {
	i := install(t)
	q := i.start(t)
	node := holder("a")
	node.Role = credential.Node
	for name, text := range map[string]string{
		"none": "", "another key": credential.New(credential.NewKey(), holder("a")), "of a node": credential.New(i.key, node),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "-ERR 'Authorization Violation'", dial(t, q, text))
		})
	}
	require.Equal(t, "PONG", dial(t, q, credential.New(i.key, holder("a"))))
}

func TestWhoShowsNoCredentialIsDisconnected(t *testing.T) {
	q := install(t).start(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", q.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patient/2))) // the server's time is much shorter
	text, err := io.ReadAll(conn)
	require.NoError(t, err, "it is closed")
	require.Contains(t, string(text), "Authentication Timeout")
}

// dial connects with a token, as the protocol has it, and returns the first response to a ping.
func dial(t *testing.T, q *server.Queue, token string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", q.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patient)))
	_, err = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"auth_token\":%q}\r\nPING\r\n", token)
	require.NoError(t, err)
	text, err := io.ReadAll(io.LimitReader(conn, 1)) // the first of INFO
	require.NoError(t, err)
	require.Equal(t, "I", string(text))
	buffer := make([]byte, 1)
	for line := ""; ; {
		if _, err := conn.Read(buffer); err != nil {
			return err.Error()
		}
		if line += string(buffer); !strings.HasSuffix(line, "\r\n") {
			continue
		}
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "NFO ") {
			return line
		}
		line = ""
	}
}

func TestRestartedQueueHasWhatItHad(t *testing.T) {
	i := install(t)
	first := i.start(t)
	for _, version := range []string{"a", "b"} {
		c := i.own(t, first, version)
		publish(t, c, "of "+version)
		c.Close()
	}
	first.Stop()
	require.ErrorContains(t, first.Ready(), "stopping")

	second := i.start(t)
	require.NoError(t, second.Ready())
	text := metrics(t, second)
	for _, line := range []string{
		`krt_queue_events{namespace="team",version="a"} 1`, `krt_queue_events{namespace="team",version="b"} 1`, "krt_queue_up 1",
		"krt_queue_streams 2", `krt_queue_limit_bytes{namespace="team",version="a"} 6.815744e+07`,
	} {
		require.Contains(t, text, line+"\n", "before anybody has connected")
	}
	b := i.own(t, second, "b")
	require.Equal(t, "of b", string(fetchOne(t, b).Data))
	eventually(t, func() error { return b.Delete(t.Context(), "team", "b") })
	require.NotContains(t, metrics(t, second), `krt_queue_events{namespace="team",version="b"}`)
}

// Two that write the same files would lose what they have acknowledged.
func TestFolderIsOfOneQueue(t *testing.T) {
	i := install(t)
	q := i.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := server.Start(ctx, i.config, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, server.ErrInUse)
	go q.Stop()
	i.start(t) // waits for the one before
}

func TestStreamsFitIntoTheVolume(t *testing.T) {
	i := install(t)
	i.config.Bytes = 100 << 20 // 65 MiB each
	q := i.start(t)
	i.own(t, q, "a")
	b := i.client(t, q, "b", credential.New(i.key, holder("b")))
	eventually(t, func() error {
		err := b.Ensure(t.Context())
		if err == nil || !strings.Contains(err.Error(), "insufficient storage") {
			return fmt.Errorf("want a refusal, not %w", err)
		}
		return nil
	})
	require.Contains(t, metrics(t, q), "krt_queue_reserved_bytes 6.815744e+07\n")
}

// metrics runs the queue's HTTP server for one request.
func metrics(t *testing.T, q *server.Queue) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	q.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestMainRunsUntilItIsStopped(t *testing.T) {
	i := install(t)
	ctx, stop := context.WithCancel(t.Context())
	log, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := server.Main(ctx, []string{
			"-listen", "127.0.0.1:0", "-metrics", "127.0.0.1:0", "-keys", i.config.Keys, "-folder", i.config.Folder, "-sync", "1m",
		}, out)
		_ = out.Close()
		done <- err
	}()
	lines := bufio.NewReader(log)
	for _, wanted := range []string{"the queue reads what it has kept", "the queue serves"} {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, `"msg":"`+wanted)
	}
	stop()
	_, _ = io.Copy(io.Discard, log)
	require.NoError(t, <-done)
}

// Both the server's certificate and what clients trust are renewed: connections that are made again use them.
func TestConnectionsUseTLS(t *testing.T) {
	i := install(t)
	i.config.TLS = t.TempDir()
	folder := t.TempDir()
	renew := func() {
		ca := keypairtest.Write(t, i.config.TLS)
		require.NoError(t, os.WriteFile(filepath.Join(folder, queue.FileCA), ca, 0o600))
	}
	renew()
	q := i.start(t)
	text := []byte(credential.New(i.key, holder("a")))
	require.NoError(t, os.WriteFile(filepath.Join(folder, queue.FileCredential), text, 0o600))
	c, err := client.Connect(queue.Settings{URL: "tls://" + q.Addr(), Credentials: folder},
		client.Options{Namespace: "team", Version: "a", Steps: []queue.Step{step}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	eventually(t, func() error { _, err := c.Find(t.Context(), "team", "a"); return err })
	renew()
	i.config.Listen = q.Addr()
	q.Stop()
	_, err = c.Find(t.Context(), "team", "a")
	require.Error(t, err)
	eventually(t, func() error { // a connection of another program may have its port for a while
		q, err := server.Start(t.Context(), i.config, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Cleanup(q.Stop)
		}
		return err
	})
	eventually(t, func() error { _, err := c.Find(t.Context(), "team", "a"); return err })
}

func TestProbe(t *testing.T) {
	i := install(t)
	q := i.start(t)
	require.NoError(t, queue.Probe(t.Context(), "nats://127.0.0.1:1,nats://"+q.Addr()))
	require.ErrorContains(t, queue.Probe(t.Context(), "nats://127.0.0.1:1"), "refused")
	i.config.TLS = t.TempDir()
	keypairtest.Write(t, i.config.TLS)
	i.config.Folder = t.TempDir()
	secured := i.start(t)
	require.NoError(t, queue.Probe(t.Context(), "tls://"+secured.Addr()))
	require.ErrorContains(t, queue.Probe(t.Context(), "nats://"+secured.Addr()), "requires TLS")
}

// The controller has credentials in memory.
func TestCredentialsInMemory(t *testing.T) {
	i := install(t)
	q := i.start(t)
	i.own(t, q, "a")
	c, err := client.Connect(queue.Settings{URL: "nats://" + q.Addr()}, client.Options{
		Namespace: "team", Version: "a", Logger: slog.New(slog.DiscardHandler),
		Files: map[string][]byte{queue.FileCredential: []byte(credential.New(i.key, holder("a")))},
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	eventually(t, func() error {
		found, err := c.Find(t.Context(), "team", "a")
		if err == nil && found == nil {
			err = queue.ErrMissing
		}
		return err
	})
	_, err = client.Connect(queue.Settings{URL: "nats://" + q.Addr()}, client.Options{Files: map[string][]byte{queue.FileCA: []byte("none")}})
	require.ErrorContains(t, err, "ca.crt has no certificate")
}

func TestWrongFlags(t *testing.T) {
	keys := install(t).config.Keys
	for want, args := range map[string][]string{
		"-keys is missing":                   {"-folder", "/x"},
		"-folder is missing":                 {"-keys", keys},
		"-bytes: it must be at least":        {"-keys", keys, "-folder", "/x", "-bytes", "1"},
		"-payload: it must be from":          {"-keys", keys, "-folder", "/x", "-payload", "1"},
		"must not be negative":               {"-keys", keys, "-folder", "/x", "-sync", "-1s"},
		`"x" is not a flag`:                  {"x"},
		"-listen":                            {"-keys", keys, "-folder", "/x", "-listen", "4222"},
		"is not a number from 0 to 65535":    {"-keys", keys, "-folder", "/x", "-listen", ":70000"},
		"cannot read the keys of credential": {"-keys", t.TempDir(), "-folder", "/x"},
	} {
		t.Run(want, func(t *testing.T) {
			require.ErrorContains(t, server.Main(t.Context(), args, io.Discard), want)
		})
	}
}
