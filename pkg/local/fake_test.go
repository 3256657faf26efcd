package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
)

// The test binary is also the nodes of these tests: with KIND set it is one.
const kindVariable = "LOCAL_TEST_NODE"

func TestMain(m *testing.M) {
	if kind := os.Getenv(kindVariable); kind != "" {
		fakeNode(kind)
		return
	}
	os.Exit(m.Run())
}

func fakeNode(kind string) {
	switch kind {
	case "fails": // as a node whose import raises
		fmt.Fprintln(os.Stderr, "Traceback (most recent call last):")
		fmt.Fprint(os.Stderr, "ImportError: no module named pandas") // without a newline
		os.Exit(3)
	case "never-ready":
		time.Sleep(time.Hour)
	case "stubborn": // must be killed, and has a child in its group
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command("sleep", "600")
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("child", child.Process.Pid)
	case "leader-dies": // leaves a child that holds its output open
		child := exec.Command("sleep", "600")
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("child", child.Process.Pid)
		fmt.Print("last words")
		os.Exit(1)
	case "greets":
		runner.Start(nil, greet)
		return
	case "parent":
		fakeParent()
		return
	case "runs-once": // and dies at once whenever it is started again
		flag := os.Getenv("FLAG")
		if _, err := os.Stat(flag); err == nil {
			os.Exit(7)
		}
		if err := os.WriteFile(flag, nil, 0o600); err != nil {
			panic(err)
		}
		if os.Getenv("GREETING") != "" {
			runner.Start(nil, greet)
			return
		}
	}
	serveFake()
}

// greet is the handler of nodes in whole versions. It answers the request's text
// after the node's greeting, or does what the text says.
func greet(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	in := &wrapperspb.StringValue{}
	if err := data.UnmarshalTo(in); err != nil {
		return nil, err
	}
	verb, argument, _ := strings.Cut(in.Value, " ")
	switch verb {
	case "variable":
		return wrapperspb.String(os.Getenv(argument)), nil
	case "pid":
		return wrapperspb.String(strconv.Itoa(os.Getpid())), nil
	case "reply":
		if err := ctx.EarlyReply(wrapperspb.String(argument)); err != nil {
			return nil, err
		}
		return wrapperspb.String("nobody waits"), nil
	case "exit":
		os.Exit(9)
	case "fail":
		return nil, errors.New(argument)
	case "folder":
		folder, err := os.Getwd()
		return wrapperspb.String(folder), err
	case "wait": // until the file is there
		fmt.Println("waiting")
		for {
			if _, err := os.Stat(argument); err == nil {
				return wrapperspb.String("done"), nil
			}
			select {
			case <-ctx.Context().Done():
				return nil, ctx.Context().Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
	return wrapperspb.String(os.Getenv("GREETING") + " " + in.Value), nil
}

// fakeParent runs a fleet of one node and tells its pid.
func fakeParent() {
	f := newFleet(newRecorder(), defaultRestart())
	instances, err := f.start(context.Background(), []spec{fakeSpec("etl", "serves")})
	if err != nil {
		panic(err)
	}
	response, err := http.Get(instances[0].door.url + "/pid")
	if err != nil {
		panic(err)
	}
	fmt.Print("pid ")
	_, _ = io.Copy(os.Stdout, response.Body)
	fmt.Println()
	time.Sleep(time.Hour)
}

// serveFake serves as a runner does, on the inherited socket.
func serveFake() {
	fd, err := strconv.Atoi(os.Getenv("KRT_LISTEN_FD"))
	if err != nil {
		panic(err)
	}
	listener, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
	if err != nil {
		panic(err)
	}
	var server http.Server
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	server.Handler = mux
	term := make(chan os.Signal, 1)
	if os.Getenv(kindVariable) != "stubborn" {
		signal.Notify(term, syscall.SIGTERM)
	}
	go func() {
		<-term
		fmt.Println("bye")
		os.Exit(0)
	}()
	_ = server.Serve(listener)
}

// fakeSpec is a node of the given kind.
func fakeSpec(name, kind string) spec {
	return spec{
		node: name, language: "go", args: []string{os.Args[0]}, dir: filepath.Dir(os.Args[0]),
		env: append(os.Environ(), kindVariable+"="+kind),
	}
}

// recorder is a Reporter that keeps what it is told.
type recorder struct {
	mu     sync.Mutex
	lines  []string // "node stream line"
	events []Event
	news   chan struct{}
}

func newRecorder() *recorder { return &recorder{news: make(chan struct{}, 1)} }

func (r *recorder) Line(node, stream, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, node+" "+stream+" "+line)
	r.tell()
}

func (r *recorder) Event(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.tell()
}

func (r *recorder) tell() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *recorder) of(kind EventType) (found []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	return found
}

func (r *recorder) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// await returns when so many events of a kind have come.
func (r *recorder) await(t *testing.T, kind EventType, count int) []Event {
	t.Helper()
	r.until(t, fmt.Sprintf("%d × %s", count, kind), func() bool { return len(r.of(kind)) >= count })
	return r.of(kind)
}

// until returns when condition holds, looking whenever something is reported.
func (r *recorder) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	for !condition() {
		select {
		case <-r.news:
		case <-limit:
			t.Fatalf("waited in vain for %s; output:\n%s\nevents: %+v", what, r.output(), r.events)
		}
	}
}
