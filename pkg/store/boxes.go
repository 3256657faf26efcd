package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/letter"
)

const (
	// recounted is how long a count of letters is trusted, to which those that are put are added,
	// and recountedFull for how long one is that leaves no room.
	recounted, recountedFull = time.Minute, time.Second
	// maxBoxes is how many counts are kept before all are forgotten.
	maxBoxes = 4096
	// dropShare is which share of a version's results makes room for new ones.
	dropShare = 20
)

// boxes limit the letters of each version and kind. They count what is in the store from time to time
// only: where several stores have one database, versions may have a few more.
type boxes struct {
	letters, bytes int64 // limits

	mu sync.Mutex
	of map[boxName]*box
}

type boxName struct {
	runtime, version string
	kind             letter.Kind
}

// box is what a version has of a kind.
type box struct {
	mu             sync.Mutex
	letters, bytes int64
	counted        time.Time
}

func newBoxes(letters, bytes int64) *boxes {
	return &boxes{letters: letters, bytes: bytes, of: map[boxName]*box{}}
}

func (b *boxes) named(name boxName) *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[name] == nil {
		if len(b.of) >= maxBoxes {
			clear(b.of)
		}
		b.of[name] = &box{}
	}
	return b.of[name]
}

// admit returns nil if there is room for a letter. The oldest results make room for new ones; a dead
// letter, or a claim, is refused, unless it takes the place of one.
func (b *boxes) admit(ctx context.Context, in Letters, runtime string, l *letter.Letter) error {
	of := LetterSelection{Runtime: runtime, Kind: l.Kind, Version: l.Version}
	one := b.named(boxName{runtime, l.Version, l.Kind})
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(one.counted) > recounted {
		if err := one.count(ctx, in, of); err != nil {
			return err
		}
	}
	for !b.fits(one, l) {
		if time.Since(one.counted) > recountedFull {
			if err := one.count(ctx, in, of); err != nil {
				return err
			}
			continue
		}
		if l.Kind != letter.Result {
			of.ID = l.ID
			if there, err := in.CountLetters(ctx, of); len(there) > 0 || err != nil {
				return err
			}
			return refuseLetter(l, fmt.Sprintf("%d letters or %d bytes", b.letters, b.bytes))
		}
		n, err := in.DropLetters(ctx, of, max(1, int(one.letters/dropShare)))
		if err == nil {
			err = one.count(ctx, in, of)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			break // what is counted is of letters that are gone since
		}
	}
	one.letters, one.bytes = one.letters+1, one.bytes+l.Bytes()
	return nil
}

// fits reports whether a letter may be added. An empty box has room for any one.
func (b *boxes) fits(one *box, l *letter.Letter) bool {
	return one.letters == 0 || one.letters < b.letters && one.bytes+l.Bytes() <= b.bytes
}

func (one *box) count(ctx context.Context, in Letters, of LetterSelection) error {
	counts, err := in.CountLetters(ctx, of)
	if err != nil {
		return err
	}
	one.letters, one.bytes, one.counted = 0, 0, time.Now()
	for _, c := range counts {
		one.letters, one.bytes = one.letters+c.Letters, one.bytes+c.Bytes
	}
	return nil
}
