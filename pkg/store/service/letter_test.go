package service

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// mail is the client of a version for letters, with the credential of its entrypoint.
func (r *running) mail(namespace, version string) *letter.Client {
	return r.mailAs(credential.Entrypoint, namespace, version)
}

func (r *running) mailAs(role credential.Role, namespace, version string) *letter.Client {
	return letter.New(&data.Client{Address: r.url, Credential: r.credential(role, namespace, version), HTTP: http.DefaultClient})
}

// TestNodesReachNoLetters: what a request's client gets is not in the hands of the nodes of other requests. Those of a
// version that an older kn-krt has started share the entrypoint's credential.
func TestNodesReachNoLetters(t *testing.T) {
	r := start(t)
	node, entrypoint, shared := r.mailAs(credential.Node, "a", "v"), r.mail("a", "v"), r.mailAs(credential.Shared, "a", "v")
	l := letter.Letter{Kind: letter.Result, ID: "1", Workflow: "flow", Data: []byte("mine")}
	require.NoError(t, entrypoint.Put(t.Context(), l))
	refused := func(err error) {
		t.Helper()
		var problem *letter.Error
		require.ErrorAs(t, err, &problem)
		require.Equal(t, http.StatusForbidden, problem.Status)
	}
	refused(node.Put(t.Context(), letter.Letter{Kind: letter.Result, ID: "1", Workflow: "flow", Data: []byte("forged")}))
	refused(node.Delete(t.Context(), letter.Result, "v", "1"))
	_, err := node.Get(t.Context(), letter.Result, "v", "1")
	refused(err)
	_, err = node.List(t.Context(), letter.Result, letter.Selection{})
	refused(err)
	_, err = node.DeleteAll(t.Context(), letter.Result, letter.Selection{})
	refused(err)
	_, err = node.Count(t.Context(), "")
	refused(err)
	found, err := entrypoint.Get(t.Context(), letter.Result, "v", "1")
	require.NoError(t, err)
	require.Equal(t, "mine", string(found.Data))
	l.Data = []byte("of before")
	require.NoError(t, shared.Put(t.Context(), l))

	// And the entrypoint saves what it measures, and reads nothing that nodes have saved.
	for role, want := range map[credential.Role]int{
		credential.Entrypoint: http.StatusForbidden, credential.Node: http.StatusOK, credential.Shared: http.StatusOK,
	} {
		status, _ := r.send(http.MethodPost, wire.PathCollections+"c/find", r.credential(role, "a", "v"), `{}`)
		require.Equal(t, want, status, role)
		status, _ = r.send(http.MethodPost, wire.PathMeasurements, r.credential(role, "a", "v"), `{"name": "m", "fields": {"x": 1}}`)
		require.Equal(t, http.StatusCreated, status, role)
	}
}

// TestLetters: a version has its own letters, an owner those of the namespace, and no other one's.
func TestLetters(t *testing.T) {
	r := start(t)
	l := letter.Letter{Kind: letter.Dead, ID: "a/1", Version: "other", Workflow: "flow"}
	require.NoError(t, r.mail("a", "v1").Put(t.Context(), l))
	require.NoError(t, r.mail("a", "v2").Put(t.Context(), l))
	require.NoError(t, r.mail("b", "v1").Put(t.Context(), l))
	found, err := r.mail("a", "v1").Get(t.Context(), letter.Dead, "", "a/1")
	require.NoError(t, err)
	require.Equal(t, "v1", found.Version)
	_, err = r.mail("a", "v1").Get(t.Context(), letter.Dead, "v2", "a/1")
	require.ErrorContains(t, err, "not those of v1")
	owner := letter.New(r.owner("a"))
	counts, err := owner.Count(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, counts, 2)
	_, err = owner.Get(t.Context(), letter.Dead, "v2", "a/1")
	require.NoError(t, err)
	n, err := owner.DeleteAll(t.Context(), letter.Dead, letter.Selection{})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	_, err = r.mail("b", "v1").Get(t.Context(), letter.Dead, "", "a/1")
	require.NoError(t, err)
	require.Contains(t, r.page(), `krt_store_writes_total{kind="letter",result="ok",sink="sqlite"} 4`)
}

// TestLettersExpire: dead letters after the setting's period, or 30 days, results when they say.
func TestLettersExpire(t *testing.T) {
	settings := t.TempDir()
	r := start(t, func(c *Config) { c.Settings = settings })
	mine := r.mail("a", "v1")
	put := func(k letter.Kind, id string, age time.Duration) {
		l := letter.Letter{Kind: k, ID: id, Workflow: "flow", Time: time.Now().Add(-age)}
		if k == letter.Result {
			l.Expires = time.Now().Add(time.Hour)
		}
		require.NoError(t, mine.Put(t.Context(), l))
	}
	ids := func(k letter.Kind) (all []string) {
		page, err := mine.List(t.Context(), k, letter.Selection{})
		require.NoError(t, err)
		for _, l := range page.Letters {
			all = append(all, l.ID)
		}
		return all
	}
	put(letter.Dead, "old", 31*24*time.Hour)
	put(letter.Dead, "new", 29*24*time.Hour)
	put(letter.Result, "result", 31*24*time.Hour)
	r.service.expireOnce(t.Context(), time.Now())
	require.Equal(t, []string{"new"}, ids(letter.Dead))
	require.Equal(t, []string{"result"}, ids(letter.Result))
	require.NoError(t, os.WriteFile(filepath.Join(settings, "retention-dead-letters"), []byte("2w"), 0o600))
	r.service.expireOnce(t.Context(), time.Now().Add(2*time.Hour))
	require.Empty(t, ids(letter.Dead))
	require.Empty(t, ids(letter.Result))
	require.Contains(t, r.page(), `krt_store_expired_total{kind="letter"} 3`)
}
