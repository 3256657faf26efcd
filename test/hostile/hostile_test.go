package hostile

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/test/process"
)

func TestMain(m *testing.M) {
	process.Child(map[string]process.Role{"entrypoint": process.Entrypoint, "nodes": process.Nodes})
	os.Exit(m.Run())
}

// span is how long each attack goes on.
const span = 1500 * time.Millisecond

// TestHostileClients attacks an entrypoint in a process of its own while good
// callers call it. None of them may fail, memory and goroutines must stay within
// each attack's bounds, and come back to what a quiet entrypoint has.
func TestHostileClients(t *testing.T) {
	nodes, err := process.Start(t.Context(), "nodes", process.NodesSettings{Count: 2}, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, nodes.Stop()) })
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			entry, err := process.Start(t.Context(), "entrypoint", process.EntrypointSettings{
				Workflows: [][]string{{"http://" + nodes.Addresses[0], "http://" + nodes.Addresses[1]}},
			}, os.Stderr)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, entry.Stop()) })
			to := &target{entry.Addresses[process.GRPC], entry.Addresses[process.Web], entry.Addresses[process.Reply], process.Method(0)}
			withstand(t, entry, to, a)
		})
	}
}

func withstand(t *testing.T, entry *process.Process, to *target, a attack) {
	good := newCallers(t, to)
	alone := good.callFor(t.Context(), span/4)
	require.Empty(t, alone.errs)
	quiet, err := entry.Usage(t.Context(), true)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	most := watch(ctx, entry)
	done := make(chan string, 1)
	go func() { done <- a.run(ctx, to) }()
	meanwhile := good.callFor(ctx, span)
	what := <-done
	peak := <-most

	good.close()
	after := settle(t, entry, quiet)
	requireNothingHeld(t, to)
	t.Logf("%s. Good callers: %d calls, p99 %s, slowest %s (alone %d, p99 %s), %d errors. "+
		"Entrypoint: at most %d goroutines, %d MiB; before %d, %.1f MiB live; afterwards %d, %.1f MiB live",
		what, len(meanwhile.took), meanwhile.at(0.99), meanwhile.at(1), len(alone.took), alone.at(0.99), len(meanwhile.errs),
		peak.goroutines, peak.resident>>20, quiet.Goroutines, live(quiet), after.Goroutines, live(after))
	require.Empty(t, meanwhile.errs, "good callers must not notice")
	require.NotEmpty(t, meanwhile.took)
	require.LessOrEqual(t, peak.goroutines, quiet.Goroutines+spare+a.goroutines)
	require.LessOrEqual(t, peak.resident>>20, int64(memory*a.megabytes))
}

func live(u process.Usage) float64 { return float64(u.Heap+u.Stacks) / (1 << 20) }

// spare is how many goroutines an entrypoint keeps for its next requests (pkg/spare): a quiet one has few of them yet.
const spare = 64

// settle waits until the entrypoint is as it was before.
func settle(t *testing.T, entry *process.Process, quiet process.Usage) (after process.Usage) {
	t.Helper()
	var err error
	for range 600 { // the test's own deadline bounds it too
		after, err = entry.Usage(t.Context(), true)
		require.NoError(t, err)
		if after.Goroutines <= quiet.Goroutines+spare+20 && live(after) <= live(quiet)+24 {
			return after
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the entrypoint has %d goroutines, %.1f MiB live; before the attack it had %d, %.1f MiB",
		after.Goroutines, live(after), quiet.Goroutines, live(quiet))
	return after
}

// requireNothingHeld waits until the entrypoint counts no byte any more: what is
// counted for good would be refused to others for good.
func requireNothingHeld(t *testing.T, to *target) {
	t.Helper()
	var held string
	for range 600 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+to.reply+"/metrics", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(text), "\nkrt_held_bytes ")
		if held, _, _ = strings.Cut(rest, "\n"); held == "0" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the entrypoint holds %q bytes of nothing", held)
}

// peaks are the most an entrypoint had.
type peaks struct {
	goroutines int
	resident   int64
}

// watch looks at the entrypoint until ctx is done.
func watch(ctx context.Context, entry *process.Process) <-chan peaks {
	result := make(chan peaks, 1)
	go func() {
		var most peaks
		for ctx.Err() == nil {
			if u, err := entry.Usage(ctx, false); err == nil {
				most.goroutines = max(most.goroutines, u.Goroutines)
			}
			if r, err := entry.Resident(); err == nil {
				most.resident = max(most.resident, r)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		result <- most
	}()
	return result
}

// callers are good callers: four by gRPC, four by JSON.
type callers struct {
	conn   *grpc.ClientConn
	client *http.Client
	url    string
	method string
}

func newCallers(t *testing.T, to *target) *callers {
	conn, err := grpc.NewClient(to.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	return &callers{conn, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}, "http://" + to.web + to.method, to.method}
}

func (c *callers) close() {
	_ = c.conn.Close()
	c.client.CloseIdleConnections()
}

// experience is what good callers got.
type experience struct {
	sync.Mutex
	took []time.Duration
	errs []error
}

func (e *experience) at(part float64) time.Duration {
	if len(e.took) == 0 {
		return 0
	}
	return e.took[int(part*float64(len(e.took)-1))].Round(10 * time.Microsecond)
}

// callFor calls for the given time; calls begun then are waited for.
func (c *callers) callFor(ctx context.Context, d time.Duration) *experience {
	e := &experience{}
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				begin := time.Now()
				err := c.call(context.WithoutCancel(ctx), i%2 == 0, fmt.Sprintf("caller %d, call %d", i, n))
				e.Lock()
				e.took = append(e.took, time.Since(begin))
				if err != nil {
					e.errs = append(e.errs, err)
				}
				e.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(e.took)
	return e
}

// call calls once, by gRPC or JSON, and wants back what it sent.
func (c *callers) call(ctx context.Context, byGRPC bool, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if byGRPC {
		out := &wrapperspb.BytesValue{} // the same on the wire
		if err := c.conn.Invoke(ctx, c.method, wrapperspb.Bytes([]byte(text)), out); err != nil {
			return err
		}
		return same(string(out.GetValue()), text)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	body := fmt.Appendf(nil, `{"data":%q}`, encoded)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s: %s: %w", res.Status, answer, err)
	}
	if !strings.Contains(string(answer), encoded) {
		return fmt.Errorf("%q is not in the answer %s", encoded, answer)
	}
	return nil
}

func same(got, want string) error {
	if got != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}
