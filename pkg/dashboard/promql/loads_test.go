package promql

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestLoadsOfAllVersionsAreOneQuery(t *testing.T) {
	queries := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		queries++
		_, _ = io.WriteString(w, `{"status":"success","data":{"result":[
			{"metric":{"namespace":"n","version":"a","krt_measure":"requests"},"value":[1,"2"]},
			{"metric":{"namespace":"n","version":"a","krt_measure":"errors"},"value":[1,"0.5"]},
			{"metric":{"namespace":"n","version":"a","krt_measure":"p95"},"value":[1,"0.25"]},
			{"metric":{"namespace":"n","version":"idle","krt_measure":"requests"},"value":[1,"0"]},
			{"metric":{"namespace":"n","version":"idle","krt_measure":"p95"},"value":[1,"NaN"]},
			{"metric":{"namespace":"secret","version":"b","krt_measure":"requests"},"value":[1,"7"]}]}}`)
	}))
	defer server.Close()
	c, err := New(server.URL)
	require.NoError(t, err)
	a, idle := source.Ref{Namespace: "n", Name: "a"}, source.Ref{Namespace: "n", Name: "idle"}
	refs := []source.Ref{a, idle, {Namespace: "n", Name: "other"}}
	require.Equal(t, source.Loads{}, c.Loads(refs), "nothing was read")
	for range 3 { // of three users
		c.ReadLoads(t.Context())
	}
	require.Equal(t, 1, queries)
	require.Equal(t, source.Loads{
		Of:   map[source.Ref]source.Load{a: {PerSecond: 2, Errors: 0.5, P95: 250 * time.Millisecond}, idle: {}},
		Note: "Numbers of the last 2 minutes, from Prometheus.",
	}, c.Loads(refs), "only of versions that were asked for")
}

func TestLoadsThatCannotBeReadSayWhy(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	c, err := New(server.URL)
	require.NoError(t, err)
	server.Close()
	c.ReadLoads(t.Context())
	require.Contains(t, c.Loads(nil).Note, "There are no numbers: Prometheus does not respond")
	c.loads.Load().at = time.Now().Add(-2 * forgotten)
	require.Equal(t, source.Loads{}, c.Loads(nil))
}
