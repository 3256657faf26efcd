package durable_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/letter"
)

// box keeps letters in memory, unless it is away.
type box struct {
	mu      sync.Mutex
	away    bool
	refusal error // while it is away; nil: it does not respond
	tries   int
	letters map[string]letter.Letter
}

var errAway = errors.New("the store is away")

// Put implements durable.Letters.
func (b *box) Put(_ context.Context, l letter.Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tries++; b.away {
		return cmp.Or(b.refusal, errAway)
	}
	if err := l.Check(); err != nil {
		return err
	}
	l.Data = bytes.Clone(l.Data)
	b.letters[string(l.Kind)+" "+l.ID] = l
	return nil
}

// Delete implements durable.Letters.
func (b *box) Delete(_ context.Context, k letter.Kind, _, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.letters, string(k)+" "+id)
	return nil
}

// Get implements mail.Store.
func (b *box) Get(_ context.Context, k letter.Kind, _, id string) (*letter.Letter, error) {
	if l := b.find(k, id); l != nil {
		return l, nil
	}
	return nil, letter.ErrNotFound
}

// List returns all letters of the kind.
func (b *box) List(_ context.Context, k letter.Kind, of letter.Selection) (page letter.Page, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return page, errAway
	}
	for _, l := range b.letters {
		if l.Kind == k && l.Version == of.Version {
			page.Letters = append(page.Letters, l)
		}
	}
	return page, nil
}

func (b *box) find(k letter.Kind, id string) *letter.Letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, ok := b.letters[string(k)+" "+id]; ok {
		return &l
	}
	return nil
}

func (b *box) count(k letter.Kind) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.letters {
		if strings.HasPrefix(name, string(k)+" ") {
			n++
		}
	}
	return n
}

// setAway has the box refuse or accept letters.
func (b *box) setAway(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

// refuse has the box refuse letters with an error.
func (b *box) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away, b.refusal = true, err
}

// tried is how often a letter was put.
func (b *box) tried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tries
}

// await waits for a letter.
func (b *box) await(t testing.TB, k letter.Kind, id string) *letter.Letter {
	t.Helper()
	var got *letter.Letter
	require.Eventually(t, func() bool { got = b.find(k, id); return got != nil }, patient, 2*time.Millisecond)
	return got
}
