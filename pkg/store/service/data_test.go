package service

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/data"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// owner is a client of a namespace's owner.
func (r *running) owner(namespace string) *data.Client {
	return &data.Client{Address: r.url, Credential: r.credential(credential.Owner, namespace, "v1"), HTTP: http.DefaultClient}
}

// export is everything in a namespace, as lines.
func (r *running) export(c *data.Client) string {
	r.Helper()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	require.NoError(r, c.Export(r.Context(), func(e data.Entry) error { return encoder.Encode(e) }))
	return lines.String()
}

func TestDataMovesFromOneStoreToAnother(t *testing.T) {
	from, to := start(t), start(t)
	for _, version := range []string{"v1", "v2"} {
		c, origin := from.client("a", version), wire.Origin{Node: "model", Workflow: "flow"}
		_, err := c.Save(t.Context(), origin, "rooms", map[string]any{"n": int64(9007199254740993)})
		require.NoError(t, err)
		require.NoError(t, c.SavePrediction(t.Context(), origin, wire.Prediction{PredictedValue: "x", TrueValue: "y", Extra: []any{1}}))
		require.NoError(t, c.SaveMeasurement(t.Context(), origin,
			wire.Measurement{Name: "m", Fields: map[string]any{"x": 1}, Tags: map[string]string{"set": "test"}}))
	}
	_, err := from.client("b", "v1").Save(t.Context(), wire.Origin{}, "rooms", map[string]any{"n": 2})
	require.NoError(t, err)

	lines := from.export(from.owner("a"))
	require.Equal(t, 6, strings.Count(lines, "\n"))
	require.Contains(t, lines, "9007199254740993")
	done, err := to.owner("a").Import(t.Context(), strings.NewReader(lines+"\n"))
	require.NoError(t, err)
	require.Equal(t, data.Imported{Saved: 6}, done)
	require.Equal(t, lines, to.export(to.owner("a")), "with the versions that saved it")
	require.Empty(t, to.export(to.owner("b")))

	documents, _, _ := strings.Cut(lines, `{"kind":"predictions"`)
	done, err = to.owner("a").Import(t.Context(), strings.NewReader(documents))
	require.NoError(t, err)
	require.Equal(t, data.Imported{Skipped: 2}, done)
}

func TestOwnersDelete(t *testing.T) {
	r := start(t)
	for _, namespace := range []string{"a", "b"} {
		c := r.client(namespace, "v1")
		for n := range 3 {
			_, err := c.Save(t.Context(), wire.Origin{}, "rooms", map[string]any{"n": n})
			require.NoError(t, err)
		}
		require.NoError(t, c.SavePrediction(t.Context(), wire.Origin{}, wire.Prediction{PredictedValue: "x"}))
		require.NoError(t, c.SaveMeasurement(t.Context(), wire.Origin{}, wire.Measurement{Name: "m", Fields: map[string]any{"x": 1}}))
	}
	owner := r.owner("a")
	for _, c := range []struct {
		of   data.Deletion
		want int64
	}{
		{data.Deletion{Kind: data.Documents, Collection: "rooms", Query: map[string]any{"n": map[string]any{"$gt": 1}}}, 1},
		{data.Deletion{Kind: data.Measurements, Name: "other"}, 0},
		{data.Deletion{Kind: data.Measurements, Name: "m"}, 1},
		{data.Deletion{Kind: data.Predictions}, 1},
	} {
		n, err := owner.Count(t.Context(), c.of)
		require.NoError(t, err)
		require.Equal(t, c.want, n, c.of)
		n, err = owner.Delete(t.Context(), c.of)
		require.NoError(t, err)
		require.Equal(t, c.want, n, c.of)
	}
	list, err := owner.Collections(t.Context())
	require.NoError(t, err)
	require.Equal(t, []data.Collection{{Name: "rooms", Documents: 2}}, list)
	require.Equal(t, 5, strings.Count(r.export(r.owner("b")), "\n"))
	for _, wrong := range []data.Deletion{{Kind: "all"}, {Kind: data.Documents},
		{Kind: data.Documents, Collection: "c", Query: map[string]any{"$where": "1"}},
		{Kind: data.Measurements, Collection: "m"}, {Kind: data.Predictions, Name: "m"}, {Kind: data.Documents, Collection: "c", Name: "m"},
		{Kind: data.Predictions, Query: map[string]any{"version": "v1"}}} {
		_, err := owner.Delete(t.Context(), wrong)
		require.Error(t, err, wrong)
	}
}

// What a node has allows neither that, nor to save for another version.
func TestNodesAreNotOwners(t *testing.T) {
	r := start(t)
	node := &data.Client{Address: r.url, Credential: r.credential(credential.Node, "a", "v1"), HTTP: http.DefaultClient}
	_, err := node.Delete(t.Context(), data.Deletion{Kind: data.Predictions})
	require.ErrorContains(t, err, "the credential of a node does not allow this")
	_, err = node.Count(t.Context(), data.Deletion{Kind: data.Predictions})
	require.ErrorContains(t, err, "the credential of a node does not allow this")
	_, err = node.Collections(t.Context())
	var refused *data.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusForbidden, refused.Status)
}

// A node that leaves out its name cannot set the version of its measurements either.
func TestNodesDoNotSetTheVersion(t *testing.T) {
	r := start(t)
	body := `{"name":"m","fields":{"x":1},"tags":{"version":"v9"}}`
	for _, headers := range [][]string{nil, {wire.HeaderNode, "model"}, {wire.HeaderVersion, "v9"}} {
		status, text := r.send(http.MethodPost, wire.PathMeasurements, r.credential(credential.Node, "a", "v1"), body, headers...)
		require.Equal(t, http.StatusCreated, status, text)
	}
	lines := r.export(r.owner("a"))
	require.Equal(t, 3, strings.Count(lines, `"version":"v1"`))
	require.NotContains(t, lines, "v9")
	status, _ := r.send(http.MethodPost, wire.PathMeasurements, r.credential(credential.Owner, "a", "v1"), body)
	require.Equal(t, http.StatusCreated, status)
	require.Contains(t, r.export(r.owner("a")), `"version":"v9"`, "an owner imports those of other versions")
}

func TestLinesThatCannotBeImported(t *testing.T) {
	r := start(t)
	for line, want := range map[string]string{
		`{}`:                               "line 2: it is not an entry of an export",
		`x`:                                "line 2: it is not an entry of an export",
		`{"kind":"models","value":{}}`:     `line 2: "models" is not a kind of data`,
		`{"kind":"predictions","value":1}`: "line 2: it is not a prediction",
		`{"kind":"documents","collection":"c","value":1}`:  "line 2: data: a document is a JSON object",
		`{"kind":"documents","collection":".","value":{}}`: `line 2: the collection ".": that name cannot be used`,
	} {
		_, err := r.owner("a").Import(t.Context(), strings.NewReader("\n"+line+"\n"))
		require.ErrorContains(t, err, want)
	}
}
