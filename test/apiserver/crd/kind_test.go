package crd_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestNamesOfTheKinds(t *testing.T) {
	a := send(t, http.MethodGet, "/apis/krt.dev/v1alpha1", nil)
	requireAccepted(t, a)
	text, err := json.Marshal(a.body)
	require.NoError(t, err)
	var list metav1.APIResourceList
	require.NoError(t, json.Unmarshal(text, &list))
	short := map[string]string{"versions": "krtv", "runtimes": "krtr"}
	for _, r := range list.APIResources {
		if want := short[r.Name]; want != "" {
			require.Equal(t, []string{want}, r.ShortNames)
			require.Equal(t, []string{"all", "knative", "krt"}, r.Categories)
			delete(short, r.Name)
		}
	}
	require.Empty(t, short, "not served")
}

// table asks for the objects as kubectl get does, and returns what stands under each column.
func table(t *testing.T, path string) (columns []string, cells object) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+server.Token)
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var got metav1.Table
	require.NoError(t, json.NewDecoder(response.Body).Decode(&got))
	require.Len(t, got.Rows, 1)
	cells = object{}
	for i, c := range got.ColumnDefinitions {
		name := c.Name
		if c.Priority > 0 {
			name += " (wide)"
		}
		columns = append(columns, name)
		cells[name] = got.Rows[0].Cells[i]
	}
	return columns, cells
}

// typed reads an object into one of our types.
func typed[T any](t *testing.T, o object) *T {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	v := new(T)
	require.NoError(t, json.Unmarshal(text, v))
	return v
}

// A status as the reconciler makes it is one to the apiserver, changes nothing
// else, and is what kubectl get shows.
func TestVersionStatusAndColumns(t *testing.T) {
	kept, path := create(t, "Started")
	v := typed[v1alpha1.Version](t, kept)
	v.BeginStatus()
	v.RecordState(metav1.Now())
	v.MarkConfigUnknownKeys("greeter-v1-config", "OTHER")
	v.MarkNodeReady("etl", "greeter-v1-etl-00001", "example.com/etl@sha256:0")
	v.MarkNodeNotReady("9model", v1alpha1.ReasonFeatureDisabled, "enable it")
	v.MarkWorkflowReady("greeting", "http://greeting.example.com", "InMemoryChannel")
	v.MarkWorkflowNotReady("greeting", v1alpha1.ReasonEventingMissing, "install it")
	v.MarkEntrypointReady("http://greeter-v1.default.svc.cluster.local")
	v.MarkStopRefused()
	v.MarkDeleteRefused()
	v.FinishStatus()
	v.Status.Phase = v1alpha1.PhaseStarting
	a := send(t, http.MethodPut, path+"/status", v)
	requireAccepted(t, a)
	got := typed[v1alpha1.Version](t, a.body)
	require.Equal(t, v.Generation, got.Generation, "a status is no change of the spec")
	require.JSONEq(t, text(t, v.Status), text(t, got.Status), "nothing is pruned or changed")

	columns, cells := table(t, path)
	require.Equal(t, []string{"Name", "Phase", "Ready", "Reason", "Published", "Age", "URL (wide)"}, columns)
	delete(cells, "Name")
	delete(cells, "Age")
	require.Equal(t, object{
		"Phase": "Starting", "Ready": "False", "Reason": "FeatureDisabled", "Published": "False",
		"URL (wide)": "http://greeter-v1.default.svc.cluster.local",
	}, cells)
}

func TestRuntimeStatusAndColumns(t *testing.T) {
	a := send(t, http.MethodPost, runtimes, parse(t, `{apiVersion: krt.dev/v1alpha1, kind: Runtime, metadata: {name: default}, spec: `+
		`{publishedVersion: b}}`))
	requireAccepted(t, a)
	path := runtimes + "/default"
	t.Cleanup(func() { send(t, http.MethodDelete, path, nil) })
	r := typed[v1alpha1.Runtime](t, a.body)
	r.BeginStatus()
	r.MarkPublished("a", metav1.Now())
	r.MarkNotReady(v1alpha1.ReasonVersionNotFound, "there is none")
	a = send(t, http.MethodPut, path+"/status", r)
	requireAccepted(t, a)
	require.JSONEq(t, text(t, r.Status), text(t, typed[v1alpha1.Runtime](t, a.body).Status))

	columns, cells := table(t, path)
	require.Equal(t, []string{"Name", "Published", "Canary", "Weight", "Since", "Ready", "Reason", "Age", "Wanted (wide)"}, columns)
	require.Equal(t, "a", cells["Published"])
	require.Equal(t, "VersionNotFound", cells["Reason"])
	require.Equal(t, "b", cells["Wanted (wide)"])
}

func TestStatusOfAStoppedVersion(t *testing.T) {
	kept, path := create(t, "Stopped")
	v := typed[v1alpha1.Version](t, kept)
	v.BeginStatus()
	v.MarkStopped()
	v.MarkPublishing("waits")
	v.MarkConfigMissing("greeter-v1-config", "CURRENCY", "CERT")
	v.FinishStatus()
	requireAccepted(t, send(t, http.MethodPut, path+"/status", v))
	_, cells := table(t, path)
	require.Equal(t, "Stopped", cells["Reason"], "that it is stopped is told before what a start would lack")
}

func text(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
