package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/letter"
)

// LetterSelection selects letters of a runtime. Empty fields select all; letters that have expired
// are never selected, unless Expired is set.
type LetterSelection struct {
	Runtime string
	Kind    letter.Kind
	// Version, Workflow and ID are those of the letters.
	Version, Workflow, ID string
	// Before selects letters of an earlier time.
	Before time.Time
	// Expired selects the letters that have expired at a time, and no others.
	Expired time.Time
}

// ErrNoLetter is the error for a letter that is not kept, or has expired.
var ErrNoLetter = errors.New("there is no such letter")

// ErrClaimed is the error for a claim of a letter that another one claims.
var ErrClaimed = errors.New("the letter is claimed already")

// NotReplaced is what SaveLetter returns for a letter that does not replace the one that is kept.
func NotReplaced(l letter.Letter) error {
	if l.Kind == letter.Claim {
		return ErrClaimed
	}
	return nil
}

// Letters keeps letters. A letter is named by its runtime, version, kind and ID.
type Letters interface {
	// SaveLetter keeps a letter, whose Time, Expires and Size are set, in place of the one with its name.
	// When it returns nil the letter is committed. A result that is a failure does not replace one that is none
	// and has not expired: an event may be delivered again after its request has succeeded. A claim replaces none
	// that has another CausationID and has not expired: ErrClaimed.
	SaveLetter(ctx context.Context, runtime string, l letter.Letter) error
	// ReadLetter returns the one letter that is selected by all of its name, or ErrNoLetter. Before
	// it reads the Data it calls hold with its size, whose error it returns.
	ReadLetter(ctx context.Context, of LetterSelection, hold func(size int64) error) (letter.Letter, error)
	// ListLetters returns a page of letters without their Data, newest first.
	ListLetters(ctx context.Context, of LetterSelection, page Page) (Listed[letter.Letter], error)
	// CountLetters counts by kind, version and workflow, in the order of these.
	CountLetters(ctx context.Context, of LetterSelection) ([]letter.Count, error)
	// DropLetters deletes the oldest of those that are selected, at most n, and returns how many.
	DropLetters(ctx context.Context, of LetterSelection, n int) (int64, error)
	// DeleteLetters deletes what is selected, of all runtimes if none is given.
	DeleteLetters(ctx context.Context, of LetterSelection, part Part) (Deleted, error)
}

// Expiry is when a letter has expired: a time that is later than any if that is not known yet.
func Expiry(l letter.Letter) time.Time {
	if l.Expires.IsZero() {
		return time.Unix(0, 1<<63-1).UTC()
	}
	return l.Expires
}

// LetterCursor is the cursor behind a letter, in a backend that lists letters by their time, in
// nanoseconds since 1970, and an id of its own.
func LetterCursor(at int64, id string) string { return strconv.FormatInt(at, 10) + "/" + id }

// LetterMark reads a cursor of [LetterCursor].
func LetterMark(cursor string) (at int64, id string, err error) {
	text, id, ok := strings.Cut(cursor, "/")
	if at, err = strconv.ParseInt(text, 10, 64); !ok || err != nil {
		return 0, "", BadCursor()
	}
	return at, id, nil
}

// LetterPlace is [LetterMark] of ids that are numbers.
func LetterPlace(cursor string) (at, id int64, err error) {
	at, text, err := LetterMark(cursor)
	if err != nil {
		return 0, 0, err
	}
	if id, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, 0, BadCursor()
	}
	return at, id, nil
}
