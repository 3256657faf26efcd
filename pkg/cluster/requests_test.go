package cluster

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/inspection"
)

// replicaSet is an API server with a version and the pods of its entrypoint, each with the
// requests that it keeps.
type replicaSet struct {
	server *httptest.Server

	mu      sync.Mutex
	changed *sync.Cond
	pods    map[string]*keeper
	events  []watch.Event
}

// keeper is a pod that keeps requests.
type keeper struct {
	pod      corev1.Pod
	requests []inspection.Request // oldest first
	refuses  string               // why its machine cannot connect to the port; "" if it can
	denies   bool                 // the user does not have the right to reach it
	cut      int                  // how often its connections were ended
}

func newReplicaSet(t *testing.T) (*replicaSet, *Client) {
	t.Helper()
	s := &replicaSet{pods: map[string]*keeper{}}
	s.changed = sync.NewCond(&s.mu)
	v := &v1alpha1.Version{Spec: v1alpha1.VersionSpec{State: v1alpha1.StateStarted}}
	v.SetKind()
	v.Name, v.Namespace = "one", "ns"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/krt.dev/v1alpha1/namespaces/ns/versions/one", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, v) })
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods", s.list)
	mux.HandleFunc("/api/v1/namespaces/ns/pods/{name}/portforward", s.forward)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	t.Cleanup(s.server.CloseClientConnections)
	c, err := New(&rest.Config{Host: s.server.URL}, "ns")
	require.NoError(t, err)
	return s, c
}

func writeJSON(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
}

// do changes something, and wakes all that wait for it.
func (s *replicaSet) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

// add adds a ready pod that keeps these requests.
func (s *replicaSet) add(name string, requests ...inspection.Request) *keeper {
	k := &keeper{pod: entrypointPod(name, corev1.ConditionTrue), requests: requests}
	k.pod.UID, k.pod.TypeMeta = types.UID(name), metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	s.do(func() {
		s.pods[name] = k
		s.record(k, watch.Added)
	})
	return k
}

func (s *replicaSet) record(k *keeper, what watch.EventType) {
	k.pod.ResourceVersion = strconv.Itoa(len(s.events) + 1)
	s.events = append(s.events, watch.Event{Type: what, Object: k.pod.DeepCopy()})
}

func (s *replicaSet) delete(name string) {
	s.do(func() {
		s.record(s.pods[name], watch.Deleted)
		s.pods[name].cut++
		delete(s.pods, name)
	})
}

func (s *replicaSet) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Query().Has("watch") {
		defer context.AfterFunc(r.Context(), func() { s.do(func() {}) })()
		w.Header().Set("Content-Type", "application/json")
		since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
		_ = http.NewResponseController(w).Flush()
		for ; r.Context().Err() == nil; s.changed.Wait() {
			for ; since < len(s.events); since++ {
				e := s.events[since]
				_ = json.NewEncoder(w).Encode(map[string]any{"type": e.Type, "object": e.Object})
				_ = http.NewResponseController(w).Flush()
			}
		}
		return
	}
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	list.ResourceVersion = strconv.Itoa(len(s.events))
	for _, k := range s.pods {
		list.Items = append(list.Items, k.pod)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	writeJSON(w, list)
}

// forward serves a port-forward to the inspection port of a pod.
func (s *replicaSet) forward(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	k := s.pods[r.PathValue("name")]
	s.mu.Unlock()
	if k.denies {
		respondStatus(w, apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no right")))
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 10)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if connection == nil {
		return
	}
	defer connection.Close()
	var reasons httpstream.Stream
	for {
		select {
		case stream := <-streams:
			if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				reasons = stream
				continue
			}
			go s.serve(k, stream, reasons)
		case <-connection.CloseChan():
			return
		}
	}
}

// serve serves one connection to a pod's port.
func (s *replicaSet) serve(k *keeper, stream, reasons httpstream.Stream) {
	defer stream.Close()
	port := stream.Headers().Get(corev1.PortHeader)
	if k.refuses != "" || port != strconv.Itoa(inspection.Port) && port != strconv.Itoa(replyPort) {
		_, _ = io.WriteString(reasons, cmp.Or(k.refuses, "wrong port"))
		_ = reasons.Close()
		return
	}
	defer reasons.Close()
	s.mu.Lock()
	cut := k.cut
	s.mu.Unlock()
	a, b := net.Pipe()
	go func() {
		request, err := http.ReadRequest(bufio.NewReader(stream))
		if err != nil {
			return
		}
		s.respond(k, cut, request, b)
		_ = b.Close()
	}()
	_, _ = io.Copy(stream, a)
}

// respond responds as an entrypoint does.
func (s *replicaSet) respond(k *keeper, cut int, request *http.Request, to io.Writer) {
	if request.URL.Path == "/metrics" && request.Host == "127.0.0.1:8081" {
		fmt.Fprintf(to, "HTTP/1.0 200 OK\r\n\r\n%s as %s", k.pod.Name, request.Header.Get("Accept"))
		return
	}
	f, follow, err := inspection.ParseFilter(request.URL.Query())
	if err != nil || request.Host != "127.0.0.1:8082" {
		_, _ = io.WriteString(to, "HTTP/1.0 400 Bad Request\r\n\r\n")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := json.NewEncoder(to)
	if id, one := strings.CutPrefix(request.URL.Path, "/requests/"); one {
		i := slices.IndexFunc(k.requests, func(r inspection.Request) bool { return r.ID == id })
		if i < 0 {
			_, _ = io.WriteString(to, "HTTP/1.0 404 Not Found\r\n\r\nnot kept")
			return
		}
		_, _ = io.WriteString(to, "HTTP/1.0 200 OK\r\n\r\n")
		_ = out.Encode(k.requests[i])
		return
	}
	_, _ = io.WriteString(to, "HTTP/1.0 200 OK\r\n\r\n")
	if !follow {
		list := slices.Clone(k.requests)
		slices.Reverse(list)
		_ = out.Encode(inspection.List{Requests: list})
		return
	}
	for next := max(0, len(k.requests)-f.Limit); k.cut == cut; s.changed.Wait() {
		for ; next < len(k.requests); next++ {
			_ = out.Encode(inspection.Line{Request: &k.requests[next]})
		}
	}
}

// kept is a request that had its response so many milliseconds after a time.
func kept(id string, ms int) inspection.Request {
	return inspection.Request{ID: id, Code: "OK", Begin: time.UnixMilli(1_000_000), DurationMS: float64(ms)}
}

func TestRequestsOfAllReplicasAreMerged(t *testing.T) {
	s, c := newReplicaSet(t)
	s.add("one-1", kept("a", 10), kept("c", 30))
	s.add("one-2", kept("b", 20), kept("d", 40))
	s.add("one-3").refuses = "dial tcp4 127.0.0.1:8082: connect: connection refused"
	s.add("one-4").refuses = "the machine is lost"
	var failed []string
	r := c.Requests("one", func(e *ReplicaError) { failed = append(failed, e.Error()) })
	list, err := r.List(t.Context(), inspection.Filter{Limit: 3})
	require.NoError(t, err)
	var got []string
	for _, one := range list {
		got = append(got, one.Replica+" "+one.ID)
	}
	require.Equal(t, []string{"one-2 d", "one-1 c", "one-2 b"}, got)
	slices.Sort(failed)
	require.Equal(t, []string{
		"cannot read the requests in pod one-4: cannot list requests: the machine is lost",
		`the entrypoint of version "one" (pod one-3) does not keep requests: it was started by an older kn-krt`,
	}, failed)

	one, err := r.Get(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, "one-2", one.Replica)
	_, err = r.Get(t.Context(), "e")
	require.EqualError(t, err, `version "one" does not keep a request "e": each pod of its entrypoint keeps its last 256 requests`+
		"; pods that could not be asked: [one-3 one-4]")

	// Whoever waits for a request asks again and again. What is new is reported.
	failed = nil
	for range 3 {
		_, err = r.Get(t.Context(), "e")
		require.Error(t, err)
	}
	require.Empty(t, failed, "the same failures as before")
	s.add("one-5").refuses = "no route to host"
	_, err = r.Get(t.Context(), "e")
	require.Error(t, err)
	require.Equal(t, []string{"cannot read the requests in pod one-5: cannot get request \"e\": no route to host"}, failed)
}

func TestRequestsThatNobodyReturnsAreAnError(t *testing.T) {
	s, c := newReplicaSet(t)
	_, err := c.Requests("one", nil).List(t.Context(), inspection.Filter{})
	var unavailable *UnavailableError
	require.ErrorAs(t, err, &unavailable)
	require.ErrorAs(t, c.Requests("one", nil).Follow(t.Context(), inspection.Filter{}, nil), &unavailable)

	s.add("one-1").refuses = "connection refused"
	_, err = c.Requests("one", nil).List(t.Context(), inspection.Filter{})
	var older *ReplicaError
	require.ErrorAs(t, err, &older)
	require.True(t, older.Older)

	s.add("one-2").denies = true
	_, err = c.Requests("one", nil).Get(t.Context(), "a")
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ReasonForbidden, refused.Reason)
	require.ErrorAs(t, c.Requests("one", nil).Follow(t.Context(), inspection.Filter{}, nil), &refused)
}

func TestRequestsOfAllReplicasAreFollowed(t *testing.T) {
	s, c := newReplicaSet(t)
	first := s.add("one-1", kept("a", 10), kept("b", 20))
	failed := make(chan *ReplicaError, 10)
	seen := make(chan string, 10)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- c.Requests("one", func(e *ReplicaError) { failed <- e }).Follow(ctx, inspection.Filter{Limit: 1}, func(l inspection.Line) error {
			seen <- l.Request.Replica + " " + l.Request.ID
			return nil
		})
	}()
	require.Equal(t, "one-1 b", <-seen)
	s.do(func() { first.requests = append(first.requests, kept("c", 30)) })
	require.Equal(t, "one-1 c", <-seen)

	s.add("one-2", kept("d", 35)) // one that starts later
	require.Equal(t, "one-2 d", <-seen)

	// A connection that ends is made again, and nothing is passed on twice.
	s.do(func() { first.cut++; first.requests = append(first.requests, kept("e", 50)) })
	require.Equal(t, "one-1 e", <-seen)
	s.do(func() { first.requests = append(first.requests, kept("late", 45)) }) // it ended before e, and came later
	require.Equal(t, "one-1 late", <-seen)
	s.do(func() { first.cut++; first.requests = append(first.requests, kept("later", 40)) })
	require.Equal(t, "one-1 later", <-seen)
	broken := <-failed
	require.EqualError(t, broken, "cannot read the requests in pod one-1: the entrypoint has ended the connection")
	require.True(t, broken.Retrying)

	s.delete("one-1")
	gone := <-failed
	for gone.Retrying { // its connection may end first
		gone = <-failed
	}
	require.EqualError(t, gone, "cannot read the requests in pod one-1: the pod has been stopped")
	s.do(func() { s.pods["one-2"].requests = append(s.pods["one-2"].requests, kept("f", 60)) })
	require.Equal(t, "one-2 f", <-seen)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Empty(t, seen)
}

func TestFollowingEndsWithTheErrorOfItsUser(t *testing.T) {
	s, c := newReplicaSet(t)
	s.add("one-1", kept("a", 10))
	enough := errors.New("enough")
	err := c.Requests("one", nil).Follow(t.Context(), inspection.Filter{Limit: 1}, func(inspection.Line) error { return enough })
	require.ErrorIs(t, err, enough)
}
