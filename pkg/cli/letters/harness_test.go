package letters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
	client "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// patient is for what a busy machine may take long to do.
const patient = 2 * time.Minute

const proto = `syntax = "proto3";
package shop;
service Entrypoint { rpc Order(Goods) returns (Goods) {} }
message Goods { string text = 1; string secret = 2; }
`

// running is an entrypoint of a version with one node, and a store.
type running struct {
	web, inspect string
	// broken has the node fail, and closed takes the store away.
	broken atomic.Bool
	away   func()
}

// serve runs until the test ends. Results are kept for that long; 0: they are not.
func serve(t *testing.T, results time.Duration) *running {
	t.Helper()
	r := &running{}
	node := httptest.NewServer(http.HandlerFunc(r.node))
	t.Cleanup(node.Close)
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(proto)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	method, err := s.Method("Order")
	require.NoError(t, err)
	address, away := startStore(t)
	r.away = away
	kept, err := client.New(address)
	require.NoError(t, err)
	quiet := slog.New(slog.DiscardHandler)
	box := mail.New(letter.New(kept), quiet)
	e, err := entrypoint.New(entrypoint.Version{
		Namespace: "shop", Name: "v1", Schema: s, Results: results,
		Workflows: []entrypoint.Workflow{{Name: "order", Method: method, Steps: []entrypoint.Step{{Node: "till", URL: node.URL}}}},
	}, entrypoint.Options{Mail: box, Logger: quiet, Timeout: patient})
	require.NoError(t, err)
	l := entrypoint.Listeners{GRPC: listen(t), Web: listen(t), Reply: listen(t), Inspection: listen(t)}
	r.web, r.inspect = "http://"+l.Web.Addr().String(), l.Inspection.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- e.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		require.NoError(t, <-served)
		box.Close(patient)
	})
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// startStore serves a real store until the test ends, or away is called.
func startStore(t *testing.T) (address string, away func()) {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	l := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- store.New(store.All(db), store.Options{}).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, db.Close())
	})
	return "http://" + l.Addr().String(), func() {
		stop()
		require.NoError(t, <-served)
	}
}

// node responds with what it has got, or fails for good.
func (r *running) node(w http.ResponseWriter, hr *http.Request) {
	in, err := event.ReadHeader(hr.Header)
	if err == nil {
		in.Data, err = event.ReadBody(hr.Body, hr.ContentLength, 1<<20)
	}
	if err != nil || r.broken.Load() {
		http.Error(w, fmt.Sprintf("refused: %v", err), http.StatusUnprocessableEntity)
		return
	}
	in.Next("/krt/shop/v1/till", event.TypeMessage, "shop.Goods", in.Data).WriteHeader(w.Header())
	_, _ = w.Write(in.Data)
}

// send sends a request for whose response nobody waits, and returns its id.
func (r *running) send(t *testing.T, text string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.web+"/workflows/order", strings.NewReader(text))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "7", "Ce-Source": "/shop", "Ce-Type": "order",
		"Prefer": "respond-async",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	return response.Header.Get("Krt-Correlation-Id")
}

// clusters is a cluster with one version, v1.
type clusters struct{ *running }

func (clusters) Flags(cmd *cobra.Command) { cmd.Flags().StringP("namespace", "n", "", "") }

func (clusters) Named(cmd *cobra.Command) bool { return cmd.Flag("namespace").Changed }

func (c clusters) Inspect(cmd *cobra.Command, version string, f func(context.Context, *inspection.Client) error) error {
	if version != "v1" && version != "" {
		return errors.New("there is no version " + version)
	}
	at, err := inspection.New("http://"+c.inspect, nil)
	if err != nil {
		return err
	}
	return f(cmd.Context(), at)
}

func (clusters) Complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// run runs a command line that has both verbs.
func (r *running) run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	s := term.Streams{Out: &stdout, Err: &stderr}
	root.AddCommand(NewDeadCommand(s, clusters{r}), NewResultCommand(s, clusters{r}))
	root.SetArgs(args)
	code = term.Exit(t.Context(), &stderr, root.ExecuteContext(t.Context()))
	return code, stdout.String(), stderr.String()
}

// dead has a request fail for which nobody waits, and returns the id of its letter.
func (r *running) dead(t *testing.T, text string) string {
	t.Helper()
	r.broken.Store(true)
	id := r.send(t, text) + "/0"
	require.Eventually(t, func() bool {
		code, _, _ := r.run(t, "dead-letters", "v1", id)
		return code == term.ExitOK
	}, patient, 10*time.Millisecond)
	return id
}
