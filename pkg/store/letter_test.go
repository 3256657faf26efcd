package store_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

func of(kind letter.Kind, id string) letter.Letter {
	return letter.Letter{Kind: kind, ID: id, Version: "v1", Workflow: "flow", Data: []byte("data")}
}

// TestLetters: the entrypoint's client and the owner's reach the same letters.
func TestLetters(t *testing.T) {
	entrypoint, raw := serve(t, store.Options{})
	mine, owner := letter.New(entrypoint), letter.New(&data.Client{Address: "http://store", HTTP: raw})
	ctx := t.Context()
	failed := of(letter.Dead, letter.DeadID("c0ffee", 2))
	failed.Status = letter.StatusOf(event.Failure{Code: code.Code_UNAVAILABLE, Reason: "NODE_UNAVAILABLE", Text: "no"}.Status())
	require.NoError(t, mine.Put(ctx, failed))
	require.NoError(t, mine.Put(ctx, of(letter.Result, "c0ffee")))
	found, err := owner.Get(ctx, letter.Dead, "v1", failed.ID)
	require.NoError(t, err)
	require.Equal(t, "NODE_UNAVAILABLE", found.Status.Reason)
	require.EqualValues(t, code.Code_UNAVAILABLE, found.Status.RPC().GetCode())
	require.Len(t, found.Status.RPC().GetDetails(), 1)
	require.Equal(t, []byte("data"), found.Data)
	require.WithinDuration(t, time.Now(), found.Time, time.Minute)
	require.Zero(t, found.Expires, "the store's retention decides")
	kept, err := mine.Get(ctx, letter.Result, "v1", "c0ffee")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(letter.DefaultKept), kept.Expires, time.Minute)

	for i := range 5 {
		require.NoError(t, mine.Put(ctx, of(letter.Result, fmt.Sprint(i))))
	}
	page, err := owner.List(ctx, letter.Result, letter.Selection{Version: "v1", Workflow: "flow", Limit: 4})
	require.NoError(t, err)
	require.Len(t, page.Letters, 4)
	require.Equal(t, "4", page.Letters[0].ID)
	require.EqualValues(t, 4, page.Letters[0].Size)
	require.Nil(t, page.Letters[0].Data)
	page, err = owner.List(ctx, letter.Result, letter.Selection{Limit: 4, Before: page.Next})
	require.NoError(t, err)
	require.Len(t, page.Letters, 2)
	require.Empty(t, page.Next)
	counts, err := owner.Count(ctx, "")
	require.NoError(t, err)
	require.Len(t, counts, 2)
	require.EqualValues(t, 6, counts[1].Letters)

	require.NoError(t, mine.Delete(ctx, letter.Dead, "v1", failed.ID))
	require.ErrorIs(t, mine.Delete(ctx, letter.Dead, "v1", failed.ID), letter.ErrNotFound)
	_, err = mine.Get(ctx, letter.Dead, "v1", failed.ID)
	require.ErrorIs(t, err, letter.ErrNotFound)
	n, err := owner.DeleteAll(ctx, letter.Result, letter.Selection{})
	require.NoError(t, err)
	require.EqualValues(t, 6, n)
}

// TestLettersOfOthers: a version reaches its own letters only, and cannot put one of another.
func TestLettersOfOthers(t *testing.T) {
	version := "v1"
	client, _ := serve(t, store.Options{Identify: func(*http.Request) (store.Origin, error) {
		return store.Origin{Runtime: "r", Origin: wire.Origin{Version: version, Node: "entrypoint"}}, nil
	}})
	mine := letter.New(client)
	require.NoError(t, mine.Put(t.Context(), of(letter.Dead, "a")))
	version = "v2"
	forged := of(letter.Dead, "a")
	forged.Data = []byte("other")
	require.NoError(t, mine.Put(t.Context(), forged), "it is of v2, whatever it says")
	_, err := mine.Get(t.Context(), letter.Dead, "v1", "a")
	var refused *letter.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusForbidden, refused.Status)
	_, err = mine.DeleteAll(t.Context(), letter.Dead, letter.Selection{Version: "v1"})
	require.ErrorContains(t, err, "not those of v2")
	counts, err := mine.Count(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, counts, 1)
	require.Equal(t, "v2", counts[0].Version)
	_, err = mine.DeleteAll(t.Context(), letter.Dead, letter.Selection{})
	require.NoError(t, err)
	version = "v1"
	found, err := mine.Get(t.Context(), letter.Dead, "", "a")
	require.NoError(t, err)
	require.Equal(t, "data", string(found.Data))
}

// TestLetterLimits: the oldest results make room, dead letters are refused, one that takes the place of
// another is not.
func TestLetterLimits(t *testing.T) {
	client, _ := serve(t, store.Options{MaxLetters: 10, MaxLetterBytes: 20_000})
	mine, ctx := letter.New(client), t.Context()
	for i := range 25 {
		require.NoError(t, mine.Put(ctx, of(letter.Result, fmt.Sprint(i))))
	}
	page, err := mine.List(ctx, letter.Result, letter.Selection{})
	require.NoError(t, err)
	require.Len(t, page.Letters, 10)
	require.Equal(t, "15", page.Letters[9].ID)
	large := of(letter.Result, "large")
	large.Data = bytes.Repeat([]byte("x"), 19_000)
	require.NoError(t, mine.Put(ctx, large))
	page, err = mine.List(ctx, letter.Result, letter.Selection{})
	require.NoError(t, err)
	require.Equal(t, "large", page.Letters[0].ID)
	require.Less(t, len(page.Letters), 4)

	for i := range 10 {
		require.NoError(t, mine.Put(ctx, of(letter.Dead, fmt.Sprint(i))))
	}
	err = mine.Put(ctx, of(letter.Dead, "10"))
	var refused *letter.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusInsufficientStorage, refused.Status)
	require.ErrorContains(t, err, "10 letters or 20000 bytes")
	again := of(letter.Dead, "3")
	again.Replays = 1
	require.NoError(t, mine.Put(ctx, again))
	claim := func(id, holder string) error {
		return mine.Put(ctx, letter.Letter{Kind: letter.Claim, ID: id, Version: "v1", CausationID: holder, Expires: time.Now().Add(time.Hour)})
	}
	for i := range 10 {
		require.NoError(t, claim(fmt.Sprint(i), "a"))
	}
	require.ErrorContains(t, claim("10", "b"), "10 letters or 20000 bytes", "none makes room")
	for i := range 10 {
		require.NoError(t, claim(fmt.Sprint(i), "a"), "each is there, and is renewed")
		require.ErrorContains(t, claim(fmt.Sprint(i), "b"), store.ErrClaimed.Error())
	}
	_, err = mine.DeleteAll(ctx, letter.Dead, letter.Selection{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return mine.Put(ctx, of(letter.Dead, "10")) == nil }, time.Minute, 10*time.Millisecond,
		"there is room again")
}

// TestLettersRefused: what is not valid is refused by its name.
func TestLettersRefused(t *testing.T) {
	_, raw := serve(t, store.Options{})
	for path, want := range map[string]int{
		"PUT /v1/letters/other/a": 400, "PUT /v1/letters/dead/": 400, "PUT /v1/letters/dead/a%20b": 400, "PUT /v1/letters/dead/a": 400,
		"GET /v1/letters/dead/a": 400, "GET /v1/letters/dead/a?version=v1": 404, "GET /v1/letters/dead?limit=0": 400,
		"GET /v1/letters/dead?before=x": 400, "GET /v1/letters/dead?node=x": 400, "DELETE /v1/letters/x": 400,
		"POST /v1/letters/dead/a": 405, "GET /v1/letters/count?x=1": 400, "DELETE /v1/letters/dead/a?version=v1": 404,
	} {
		t.Run(path, func(t *testing.T) {
			var method, target string
			_, err := fmt.Sscan(path, &method, &target)
			require.NoError(t, err)
			req, err := http.NewRequestWithContext(t.Context(), method, "http://store"+target, http.NoBody)
			require.NoError(t, err)
			response, err := raw.Do(req)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, want, response.StatusCode)
		})
	}
}

// doer answers as a store would.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestOldStore: a store that does not know letters is named as such.
func TestOldStore(t *testing.T) {
	_, raw := serve(t, store.Options{})
	old := letter.New(doer(func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme, r.URL.Host, r.URL.Path = "http", "store", "/v0"+r.URL.Path
		return raw.Do(r)
	}))
	require.ErrorIs(t, old.Put(t.Context(), of(letter.Dead, "a")), letter.ErrOld)
	_, err := old.Count(t.Context(), "")
	require.ErrorIs(t, err, letter.ErrOld)
	require.False(t, letter.Temporary(err))
	away := letter.New(doer(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }))
	require.True(t, letter.Temporary(away.Put(t.Context(), of(letter.Dead, "a"))))
}
