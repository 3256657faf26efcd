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
)

// mail is the client of a version for letters, with the credential of its entrypoint.
func (r *running) mail(namespace, version string) *letter.Client {
	return letter.New(&data.Client{Address: r.url, Credential: r.credential(credential.Node, namespace, version), HTTP: http.DefaultClient})
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
