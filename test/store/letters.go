package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/store"
)

// result is a letter of a version, of the i-th second of the table's day.
func result(version string, i int) letter.Letter {
	data := []byte(fmt.Sprintf("\x00\xff%d", i))
	return letter.Letter{
		Kind: letter.Result, ID: fmt.Sprintf("id-%d", i), Version: version, Workflow: "flow", Node: "model", Step: 1, Time: at(i),
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond), Message: "a.B", Data: data, Size: int64(len(data)),
		Event: map[string]string{"type": "a.B", "id": "é"}, CausationID: "c",
		Status: &letter.Status{Code: "UNAVAILABLE", Reason: "R", Message: "a\nb", Proto: []byte{8, 14}},
	}
}

func named(l letter.Letter, runtime string) store.LetterSelection {
	return store.LetterSelection{Runtime: runtime, Kind: l.Kind, Version: l.Version, ID: l.ID}
}

func without(l letter.Letter) letter.Letter {
	l.Data = nil
	return l
}

func read(t *testing.T, b store.Letters, of store.LetterSelection) letter.Letter {
	t.Helper()
	found, err := b.ReadLetter(t.Context(), of, func(int64) error { return nil })
	require.NoError(t, err)
	return found
}

// list returns all letters that are selected, reading pages of the given size.
func list(t *testing.T, b store.Letters, of store.LetterSelection, size int) []letter.Letter {
	t.Helper()
	var all []letter.Letter
	page := store.Page{Limit: size, Bytes: 1 << 20}
	for {
		found, err := b.ListLetters(t.Context(), of, page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found.Items), size)
		all = append(all, found.Items...)
		if found.Next == "" {
			return all
		}
		require.NotEqual(t, page.Cursor, found.Next)
		page.Cursor = found.Next
	}
}

// Letters holds a backend of letters to the table.
func Letters(t *testing.T, b store.Letters) {
	t.Run("letters", func(t *testing.T) {
		t.Run("kept", func(t *testing.T) { keptLetters(t, b) })
		t.Run("failures", func(t *testing.T) { failedResults(t, b) })
		t.Run("claims", func(t *testing.T) { claims(t, b) })
		t.Run("listed", func(t *testing.T) { listedLetters(t, b) })
		t.Run("expired", func(t *testing.T) { expiredLetters(t, b) })
		t.Run("deleted", func(t *testing.T) { deletedLetters(t, b) })
		t.Run("large", func(t *testing.T) { largeLetter(t, b) })
	})
}

// keptLetters: a letter is read as it was saved, one of its name takes its place, and a name is one of
// its runtime, version and kind.
func keptLetters(t *testing.T, b store.Letters) {
	l := result("kept", 1)
	dead := without(l)
	dead.Kind, dead.ID, dead.Expires, dead.Size, dead.Status, dead.Event = letter.Dead, letter.DeadID(l.ID, 1), time.Time{}, 0, nil, nil
	other := result("kept-2", 1)
	other.Node = ""
	require.NoError(t, b.SaveLetter(t.Context(), ours, l))
	require.NoError(t, b.SaveLetter(t.Context(), ours, dead))
	require.NoError(t, b.SaveLetter(t.Context(), ours, other))
	require.Equal(t, l, read(t, b, named(l, ours)))
	require.Equal(t, dead, read(t, b, named(dead, ours)), "a letter with the least that one has")
	require.Equal(t, other, read(t, b, named(other, ours)))
	again := l
	again.Time, again.Data, again.Size, again.Replays, again.Workflow = at(5), []byte("new"), 3, 7, "flow-2"
	require.NoError(t, b.SaveLetter(t.Context(), ours, again))
	require.Equal(t, again, read(t, b, named(l, ours)))
	require.Len(t, list(t, b, store.LetterSelection{Runtime: ours, Kind: letter.Result, Version: "kept"}, 10), 1)
	for _, of := range []store.LetterSelection{named(l, theirs), {Runtime: ours, Kind: letter.Dead, Version: "kept", ID: l.ID}} {
		_, err := b.ReadLetter(t.Context(), of, func(int64) error { return errors.New("held") })
		require.ErrorIs(t, err, store.ErrNoLetter)
	}
	full, size := errors.New("full"), int64(0)
	_, err := b.ReadLetter(t.Context(), named(l, ours), func(n int64) error { size = n; return full })
	require.ErrorIs(t, err, full)
	require.EqualValues(t, 3, size)
}

// failedResults: a failure takes the place of a failure or of what has expired, and a success of all; of dead letters,
// which all have a status or none, the last one is kept.
func failedResults(t *testing.T, b store.Letters) {
	failure := result("failures", 1)
	success := without(failure)
	success.Status, success.Size, success.Event = nil, 0, map[string]string{"status": "x"}
	late := failure
	late.Time = at(9)
	steps := func(letters ...letter.Letter) letter.Letter {
		for _, l := range letters {
			require.NoError(t, b.SaveLetter(t.Context(), ours, l))
		}
		return read(t, b, named(letters[0], ours))
	}
	require.Equal(t, late, steps(failure, late))
	require.Equal(t, success, steps(success))
	require.Equal(t, success, steps(late))
	newer := success
	newer.Time = at(10)
	require.Equal(t, newer, steps(newer))
	gone := newer
	gone.Expires = time.Now().Add(-time.Second).UTC()
	require.Equal(t, late, steps(gone, late))
	dead, again := success, failure
	dead.Kind, again.Kind = letter.Dead, letter.Dead
	require.Equal(t, again, steps(dead, again))
}

// claims: one replaces none of another holder, until that has expired; of many at a time one is kept, also in place of
// one that has expired.
func claims(t *testing.T, b store.Letters) {
	id := "id/1"
	claim := func(holder string, expires time.Time) error {
		return b.SaveLetter(t.Context(), ours, letter.Letter{
			Kind: letter.Claim, ID: id, Version: "claims", Time: at(1), CausationID: holder, Expires: expires,
		})
	}
	later, before := time.Now().Add(time.Hour).UTC(), time.Unix(1, 0).UTC()
	require.NoError(t, claim("a", later))
	require.ErrorIs(t, claim("b", later), store.ErrClaimed)
	require.ErrorIs(t, claim("b", before), store.ErrClaimed, "nobody else gives it back")
	require.NoError(t, claim("a", later.Add(time.Hour)), "it is renewed")
	require.NoError(t, claim("a", before))
	require.NoError(t, claim("b", later), "it was given back")
	const holders = 8
	contended := func() {
		taken := make(chan error, holders)
		for i := range holders {
			go func() { taken <- claim(fmt.Sprint("holder-", i), later) }()
		}
		kept := 0
		for range holders {
			if err := <-taken; err == nil {
				kept++
			} else {
				require.ErrorIs(t, err, store.ErrClaimed)
			}
		}
		require.Equal(t, 1, kept)
	}
	id = "id/2"
	contended()
	id = "id/3"
	require.NoError(t, claim("a", before))
	contended() // for one that has expired
}

// listedLetters: newest first, in pages, by version and workflow; and counted so.
func listedLetters(t *testing.T, b store.Letters) {
	const runtime, n = "listed", 25
	var want []letter.Letter
	bytes := int64(0)
	for i := range n {
		l := result("v1", i)
		l.Time = at(i / 2) // two have the same
		require.NoError(t, b.SaveLetter(t.Context(), runtime, l))
		want, bytes = append(want, without(l)), bytes+l.Bytes()
	}
	other := result("v2", 100)
	other.Workflow = "other"
	require.NoError(t, b.SaveLetter(t.Context(), runtime, other))
	all := store.LetterSelection{Runtime: runtime, Kind: letter.Result}
	of := all
	of.Version = "v1"
	for _, size := range []int{1, 7, n, 100} {
		found := list(t, b, of, size)
		require.ElementsMatch(t, want, found, size)
		for i := 1; i < n; i++ {
			require.False(t, found[i].Time.After(found[i-1].Time), "newest first")
		}
	}
	page, err := b.ListLetters(t.Context(), of, store.Page{Limit: 100, Bytes: 1})
	require.NoError(t, err)
	require.Len(t, page.Items, 1, "a page has one letter at least")
	require.Equal(t, without(other), list(t, b, all, 100)[0])
	byWorkflow := all
	byWorkflow.Workflow = "other"
	require.Len(t, list(t, b, byWorkflow, 100), 1)
	_, err = b.ListLetters(t.Context(), all, store.Page{Limit: 1, Bytes: 1, Cursor: "x"})
	require.Equal(t, store.BadCursor(), err)
	counts, err := b.CountLetters(t.Context(), store.LetterSelection{Runtime: runtime})
	require.NoError(t, err)
	require.Equal(t, []letter.Count{
		{Kind: letter.Result, Version: "v1", Workflow: "flow", Letters: n, Bytes: bytes, Oldest: at(0)},
		{Kind: letter.Result, Version: "v2", Workflow: "other", Letters: 1, Bytes: other.Bytes(), Oldest: other.Time},
	}, counts)
	none, err := b.CountLetters(t.Context(), store.LetterSelection{Runtime: "none"})
	require.NoError(t, err)
	require.Empty(t, none)
	require.Empty(t, list(t, b, store.LetterSelection{Runtime: "none", Kind: letter.Dead}, 10))
}

// expiredLetters: they are gone for readers before they are deleted.
func expiredLetters(t *testing.T, b store.Letters) {
	const runtime = "expired"
	gone, kept := result("v1", 1), result("v1", 2)
	gone.Expires = time.Now().Add(-time.Second)
	require.NoError(t, b.SaveLetter(t.Context(), runtime, gone))
	require.NoError(t, b.SaveLetter(t.Context(), runtime, kept))
	_, err := b.ReadLetter(t.Context(), named(gone, runtime), func(int64) error { return nil })
	require.ErrorIs(t, err, store.ErrNoLetter)
	all := store.LetterSelection{Runtime: runtime, Kind: letter.Result}
	require.Equal(t, []letter.Letter{without(kept)}, list(t, b, all, 10))
	counts, err := b.CountLetters(t.Context(), all)
	require.NoError(t, err)
	require.EqualValues(t, 1, counts[0].Letters)
	expired := store.LetterSelection{Expired: time.Now()}
	_, err = b.DeleteLetters(t.Context(), expired, store.Part{})
	require.NoError(t, err)
	done, err := b.DeleteLetters(t.Context(), expired, store.Part{})
	require.NoError(t, err)
	require.Zero(t, done.Count)
	require.Equal(t, kept, read(t, b, named(kept, runtime)))
}

// deletedLetters: one, the oldest ones, those of before a time, and in parts.
func deletedLetters(t *testing.T, b store.Letters) {
	const runtime, n = "deleted", 30
	for i := range n {
		require.NoError(t, b.SaveLetter(t.Context(), runtime, result("v1", i)))
	}
	dead := result("v1", n)
	dead.Kind = letter.Dead
	require.NoError(t, b.SaveLetter(t.Context(), runtime, dead))
	of := store.LetterSelection{Runtime: runtime, Kind: letter.Result, Version: "v1"}
	done, err := b.DeleteLetters(t.Context(), named(result("v1", 20), runtime), store.Part{})
	require.NoError(t, err)
	require.EqualValues(t, 1, done.Count)
	dropped, err := b.DropLetters(t.Context(), of, 5)
	require.NoError(t, err)
	require.EqualValues(t, 5, dropped)
	require.Equal(t, "id-5", list(t, b, of, n)[n-7].ID, "the oldest ones are gone")
	before := of
	before.Before = at(10)
	done, err = b.DeleteLetters(t.Context(), before, store.Part{})
	require.NoError(t, err)
	require.EqualValues(t, 5, done.Count)
	_, deleted := inParts(t, func(p store.Part) (store.Deleted, error) { return b.DeleteLetters(t.Context(), of, p) })
	require.EqualValues(t, n-11, deleted)
	require.Equal(t, dead, read(t, b, named(dead, runtime)))
}

// largeLetter: the largest letter is kept.
func largeLetter(t *testing.T, b store.Letters) {
	l := result("large", 1)
	l.Data = bytes.Repeat([]byte{0, 1, 2, 0xff}, letter.MaxData/4)
	l.Size = letter.MaxData
	require.NoError(t, b.SaveLetter(t.Context(), ours, l))
	found := read(t, b, named(l, ours))
	require.True(t, bytes.Equal(l.Data, found.Data))
	require.Equal(t, without(l), without(found))
}
