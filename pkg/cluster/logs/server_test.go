package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/render"
)

// machine is an API server with pods and their logs, which it returns as a kubelet does:
// from the files of their containers, by whole seconds, each line with its time.
type machine struct {
	url string

	mu       sync.Mutex
	changed  *sync.Cond
	revision int
	pods     map[string]*testPod
	events   []watch.Event
	watches  int // how many have been cut
	requests []string
	burst    int // how many requests for logs come before the first has a response
	opening  int // how many have none yet
	most     int // the most of these at a time
}

// testPod is a pod and the logs of its containers, the running one last.
type testPod struct {
	*corev1.Pod

	files []*testFile
	fails int  // HTTP status of requests for its log; 0 for none, -1 for a connection that breaks off
	cuts  int  // how often streams of its log have been ended
	torn  bool // the next line breaks off, and its connection with it
}

// testFile is the log of one container.
type testFile struct {
	lines []testLine
	ended bool
}

// testLine is a line; one without a time is a message of the kubelet's.
type testLine struct {
	at   time.Time
	text string // with its end, unless it has none
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{pods: map[string]*testPod{}}
	m.changed = sync.NewCond(&m.mu)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods", m.list)
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods/{name}/log", m.log)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	m.url = server.URL
	return m
}

// do changes something, and wakes all that wait for it.
func (m *machine) do(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	m.changed.Broadcast()
}

// record makes the pod's state one that is listed and watched. m.mu is held.
func (m *machine) record(p *testPod, what watch.EventType) {
	m.revision++
	p.ResourceVersion = strconv.Itoa(m.revision)
	m.events = append(m.events, watch.Event{Type: what, Object: p.DeepCopy()})
}

// add adds a pod of a node, whose container runs.
func (m *machine) add(node, name string) { m.do(func() { m.create(node, name) }) }

// create is add with m.mu held.
func (m *machine) create(node, name string) {
	p := &testPod{Pod: &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "ns", UID: types.UID("uid-" + name),
			Labels: map[string]string{render.LabelVersion: "one", render.LabelNode: node},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "queue-proxy"}, {Name: "user-container"}}},
	}}
	if node == Entrypoint {
		delete(p.Labels, render.LabelNode)
		p.Spec.Containers = p.Spec.Containers[1:]
	}
	m.pods[name] = p
	p.start()
	m.record(p, watch.Added)
}

// recover ends the failures of a pod's log. The pod changes then, because its log may have been given up by now.
func (m *machine) recover(pod string) {
	m.do(func() {
		m.pods[pod].fails = 0
		m.record(m.pods[pod], watch.Modified)
	})
}

// start begins a container of the pod. Its state is not known before it is recorded.
func (p *testPod) start() {
	p.files = append(p.files, &testFile{})
	restarts := len(p.files) - 1
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "user-container", ContainerID: "c" + strconv.Itoa(restarts), RestartCount: int32(restarts),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
}

// end ends the pod's container.
func (p *testPod) end() {
	p.file().ended = true
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
}

func (p *testPod) file() *testFile { return p.files[len(p.files)-1] }

// await waits until something is so.
func (m *machine) await(so func() bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !so() {
		m.changed.Wait()
	}
}

// write appends a line to the log of the pod's container, so many milliseconds after a time.
func (m *machine) write(pod string, ms int, text string) {
	m.writeRaw(pod, ms, text+"\n")
}

func (m *machine) writeRaw(pod string, ms int, text string) {
	m.do(func() { m.pods[pod].append(ms, text) })
}

func (p *testPod) append(ms int, text string) {
	p.file().lines = append(p.file().lines, testLine{at: moment(ms), text: text})
}

func moment(ms int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

// delete deletes a pod. m.mu is held.
func (m *machine) delete(pod string) {
	m.pods[pod].file().ended = true
	m.record(m.pods[pod], watch.Deleted)
	delete(m.pods, pod)
}

func (m *machine) list(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Has("watch") {
		m.watch(w, r)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	list.ResourceVersion = strconv.Itoa(m.revision)
	for _, p := range m.pods {
		list.Items = append(list.Items, *p.Pod)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	_ = json.NewEncoder(w).Encode(list)
}

func (m *machine) watch(w http.ResponseWriter, r *http.Request) {
	defer context.AfterFunc(r.Context(), func() { m.do(func() {}) })()
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	_ = http.NewResponseController(w).Flush()
	m.mu.Lock()
	defer m.mu.Unlock()
	for cut := m.watches; m.watches == cut && r.Context().Err() == nil; m.changed.Wait() {
		for ; since < len(m.events); since++ {
			e := m.events[since]
			_ = json.NewEncoder(w).Encode(map[string]any{"type": e.Type, "object": e.Object})
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// log returns a log as the kubelet's ReadLogs does.
func (m *machine) log(w http.ResponseWriter, r *http.Request) {
	defer context.AfterFunc(r.Context(), func() { m.do(func() {}) })()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, r.URL.RawQuery)
	m.opening++
	m.most = max(m.most, m.opening)
	m.changed.Broadcast()
	for len(m.requests) < m.burst {
		m.changed.Wait()
	}
	m.opening--
	p, q := m.pods[r.PathValue("name")], r.URL.Query()
	switch {
	case p == nil:
		refuse(w, http.StatusNotFound, "pods", r.PathValue("name"))
		return
	case p.fails < 0:
		panic(http.ErrAbortHandler)
	case p.fails != 0:
		refuse(w, p.fails, "pods", p.Name)
		return
	}
	file := p.file()
	if q.Get("previous") == "true" {
		if len(p.files) == 1 {
			refuse(w, http.StatusBadRequest, "pods", p.Name)
			return
		}
		file = p.files[len(p.files)-2]
	}
	file.serve(m, p, w, r)
}

// serve writes the log's lines, and with follow those that come until the container ends.
// m.mu is held.
func (f *testFile) serve(m *machine, p *testPod, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, _ := time.Parse(time.RFC3339, q.Get("sinceTime"))
	if seconds, err := strconv.Atoi(q.Get("sinceSeconds")); err == nil {
		since = time.Now().Add(-time.Duration(seconds) * time.Second)
	}
	next := 0
	if tail, err := strconv.Atoi(q.Get("tailLines")); err == nil {
		next = max(0, len(f.lines)-tail)
	}
	for cut := p.cuts; p.cuts == cut && r.Context().Err() == nil; m.changed.Wait() {
		for ; next < len(f.lines); next++ {
			l := f.lines[next]
			if l.at.Before(since) && !l.at.IsZero() {
				continue
			}
			text := l.text
			if !l.at.IsZero() {
				text = l.at.Format("2006-01-02T15:04:05.000000000Z07:00") + " " + l.text
			}
			if p.torn {
				p.torn = false
				_, _ = io.WriteString(w, text[:len(text)-2])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush() // not before the first line, as a kubelet does
		}
		if f.ended || q.Get("follow") != "true" {
			return
		}
	}
}

// refuse responds with an error as an API server does.
func refuse(w http.ResponseWriter, code int, resource, name string) {
	reasons := map[int]metav1.StatusReason{
		http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusForbidden: metav1.StatusReasonForbidden,
		http.StatusBadRequest: metav1.StatusReasonBadRequest, http.StatusInternalServerError: metav1.StatusReasonInternalError,
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reasons[code], Message: "its machine is lost", Details: &metav1.StatusDetails{Kind: resource, Name: name},
	})
}

// cluster returns the machine as one to read logs of.
func (m *machine) cluster(t *testing.T) Cluster {
	t.Helper()
	config := &rest.Config{Host: m.url, QPS: -1}
	known := meta.NewDefaultRESTMapper(nil)
	known.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	kube, err := client.NewWithWatch(config, client.Options{Mapper: known})
	require.NoError(t, err)
	return Cluster{
		Kube: kube, Config: config, Namespace: "ns", Timeout: time.Minute,
		Explain: func(err error, doing string) error { return fmt.Errorf("%s: %w", doing, err) },
	}
}
