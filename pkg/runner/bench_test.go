package runner_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// usage is what the benchmarked process has used so far.
type usage struct {
	CPU     time.Duration
	Mallocs uint64
	Bytes   uint64
}

// The benchmarked servers, by their place in what benchServers prints.
const (
	benchBare = iota
	benchEvent
	benchRunner
	benchBareAgain
	benchUsage
)

// benchServers is the benchmarked process: a runner, what it is compared with,
// and an address that tells the process' usage. It prints the addresses.
func benchServers() {
	addresses := []string{
		serveBench(http.HandlerFunc(bareEcho)), serveBench(http.HandlerFunc(eventEcho)), serveBench(nil),
		serveBench(http.HandlerFunc(bareEcho)), serveBench(http.HandlerFunc(tellUsage)),
	}
	fmt.Println(strings.Join(addresses, " "))
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
}

// serveBench serves handler, or a runner if that is nil.
func serveBench(handler http.Handler) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if handler != nil {
		go func() { panic(http.Serve(listener, handler)) }()
		return listener.Addr().String()
	}
	ready := make(chan struct{})
	go func() {
		panic(runner.Run(context.Background(), runner.Options{
			Getenv: func(string) string { return "" }, Listener: listener,
			Logger: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		}, nil, benchHandler))
	}()
	<-ready
	return listener.Addr().String()
}

// benchHandler echoes the message's bytes, as fields unknown to the type it
// returns: decoding is no work of the runner's, and the others do not do it.
func benchHandler(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	m := &emptypb.Empty{}
	m.ProtoReflect().SetUnknown(data.GetValue())
	return m, nil
}

func bareEcho(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", event.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// eventEcho is bareEcho that answers with an event, as a node must: the request's
// own headers, unread.
func eventEcho(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		if strings.HasPrefix(name, "Ce-") {
			w.Header()[name] = values
		}
	}
	bareEcho(w, r)
}

func tellUsage(w http.ResponseWriter, _ *http.Request) {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(w).Encode(usage{
		CPU:     time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		Mallocs: m.Mallocs, Bytes: m.TotalAlloc,
	})
}

// BenchmarkRunner compares a runner with two echoes over net/http in the same
// process, which the client is not part of, in interleaved rounds: a bare one,
// which answers with the body alone, and one that answers with an event. The
// ratios are medians over the rounds; A/A, of two bare echoes, shows what they
// are worth.
func BenchmarkRunner(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("size=%d/clients=%d", size, clients), func(b *testing.B) { benchmark(b, size, clients) })
		}
	}
}

func benchmark(b *testing.B, size, clients int) {
	b.ReportAllocs()
	addresses := startBench(b)
	const rounds = 20
	per := max(b.N/(rounds*clients*benchUsage), 1)
	var used [benchUsage][]usage // by server, of each round, in all
	for round := range rounds + 1 {
		for server := range benchUsage {
			before := readUsage(b, addresses[benchUsage])
			load(b, addresses[server], benchRequest(b, size), clients, per)
			if round > 0 { // the first warms
				used[server] = append(used[server], readUsage(b, addresses[benchUsage]).minus(before))
			}
		}
	}
	n := float64(per * clients)
	cpu := func(u usage) float64 { return float64(u.CPU) / n }
	allocs := func(u usage) float64 { return float64(u.Mallocs) / n }
	b.ReportMetric(median(used[benchBare], cpu), "bare-cpu-ns/op")
	b.ReportMetric(median(used[benchRunner], cpu), "runner-cpu-ns/op")
	b.ReportMetric(medianRatio(used[benchRunner], used[benchBare]), "runner/bare")
	b.ReportMetric(medianRatio(used[benchRunner], used[benchEvent]), "runner/event-echo")
	b.ReportMetric(medianRatio(used[benchBareAgain], used[benchBare]), "A/A")
	b.ReportMetric(median(used[benchBare], allocs), "bare-allocs/op")
	b.ReportMetric(median(used[benchRunner], allocs), "runner-allocs/op")
	b.ReportMetric(median(used[benchRunner], func(u usage) float64 { return float64(u.Bytes) / n / float64(size) }), "runner-payloads/op")
}

func (u usage) minus(v usage) usage {
	return usage{CPU: u.CPU - v.CPU, Mallocs: u.Mallocs - v.Mallocs, Bytes: u.Bytes - v.Bytes}
}

func median(rounds []usage, of func(usage) float64) float64 {
	v := make([]float64, 0, len(rounds))
	for _, u := range rounds {
		v = append(v, of(u))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func medianRatio(a, b []usage) float64 {
	v := make([]float64, 0, len(a))
	for i := range a {
		v = append(v, float64(a[i].CPU)/float64(b[i].CPU))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func startBench(b *testing.B) []string {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "RUNNER_TEST_NODE="+map[bool]string{true: "exp", false: "bench"}[os.Getenv("SIZE") != ""])
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.Fields(line)
}

// benchRequest is the bytes of a POST of an event of the given size.
func benchRequest(b *testing.B, size int) []byte {
	b.Helper()
	e := message("")
	e.Message = "google.protobuf.BytesValue"
	data, err := proto.Marshal(wrapperspb.Bytes(bytes.Repeat([]byte{'x'}, size)))
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://node/", bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	e.ReplyToken = strings.Repeat("t", 200)
	e.Deadline = time.Now().Add(25 * time.Second) // each round makes its own
	e.WriteHeader(req.Header)
	var raw bytes.Buffer
	if err := req.Write(&raw); err != nil {
		b.Fatal(err)
	}
	return raw.Bytes()
}

func load(b *testing.B, address string, request []byte, clients, per int) {
	b.Helper()
	done := make(chan error, clients)
	for range clients {
		go func() { done <- client(address, request, per) }()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// client sends request n times on one connection.
func client(address string, request []byte, n int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, 128<<10)
	for range n {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d: %w", res.StatusCode, err)
		}
	}
	return nil
}

func readUsage(b *testing.B, address string) usage {
	b.Helper()
	res, err := http.Get("http://" + address)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var u usage
	if err := json.NewDecoder(res.Body).Decode(&u); err != nil {
		b.Fatal(err)
	}
	return u
}
