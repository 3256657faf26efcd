package remote

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/render"
)

// logServer is an apiserver with the logs of pods; they are read by what answers for their path.
func logServer(t *testing.T, pods map[string]http.HandlerFunc) (r *logReader, out, errs *bytes.Buffer) {
	t.Helper()
	mux := http.NewServeMux()
	for name, log := range pods {
		mux.HandleFunc("/api/v1/namespaces/ns/pods/"+name+"/log", log)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	config := &rest.Config{Host: server.URL}
	client, err := cluster.New(config, "ns")
	require.NoError(t, err)
	c := &Cluster{Client: client, Config: config, Namespace: "ns", program: "kn-krt"}
	return newLogReader(c, logsOptions{streams: term.Streams{Out: out, Err: errs}, tail: -1}), out, errs
}

func nodePod(name string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{render.LabelNode: "etl"}}}
	p.Spec.Containers = []corev1.Container{{Name: "user-container"}}
	return p
}

func TestABrokenLogIsFollowedOn(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	line := func(w io.Writer, second int) {
		fmt.Fprintf(w, "%s line %d\n", at.Add(time.Duration(second)*time.Second).Format(time.RFC3339Nano), second)
	}
	var tries atomic.Int32
	r, out, errs := logServer(t, map[string]http.HandlerFunc{"one": func(w http.ResponseWriter, _ *http.Request) {
		line(w, 1) // which comes again, for whole seconds are asked for
		if tries.Add(1) < 3 {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		line(w, 2)
	}})
	require.NoError(t, r.persist(t.Context(), nodePod("one")))
	require.Equal(t, "[etl] line 1\n[etl] line 2\n", out.String())
	require.Contains(t, errs.String(), "Warning: Pod one of etl: cannot read the logs of etl: ")
	require.Contains(t, errs.String(), "; trying again\n")
}

// One that cannot be read at all is told, and is the end of nothing else.
func TestALogThatCannotBeReadIsGivenUp(t *testing.T) {
	tries := 0
	r, out, errs := logServer(t, map[string]http.HandlerFunc{"one": func(w http.ResponseWriter, _ *http.Request) {
		tries++
		http.Error(w, "its machine is lost", http.StatusInternalServerError)
	}})
	require.NoError(t, r.persist(t.Context(), nodePod("one")))
	require.Empty(t, out.String())
	require.GreaterOrEqual(t, tries, logTries)
	require.Contains(t, errs.String(), "Warning: Pod one of etl is followed no longer: cannot read the logs of etl: ")
}
