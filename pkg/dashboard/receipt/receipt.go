// Package receipt has what pages say once, after a change.
package receipt

import (
	"crypto/rand"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Max is how many receipts are kept until the pages that follow the actions are read.
const Max = 100

// receipt says once, on the page that follows a change, what was changed: what a link's query says
// by itself may never have happened.
type receipt struct {
	key  string
	ref  source.Ref
	what string
}

// Receipts are the newest, in order. They may be used by many goroutines at a time.
type Receipts struct {
	mu  sync.Mutex
	all []receipt
}

// Add returns the key of a new receipt: what names the action, or the value of the config, in a word.
func (r *Receipts) Add(ref source.Ref, what string) (key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == Max {
		r.all = slices.Delete(r.all, 0, 1)
	}
	key = rand.Text()
	r.all = append(r.all, receipt{key, ref, what})
	return key
}

// Take returns what the receipt of the version says, and forgets it; empty if there is none.
func (r *Receipts) Take(ref source.Ref, key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.all, func(one receipt) bool { return one.key == key && one.ref == ref })
	if at < 0 {
		return ""
	}
	text := r.all[at].what
	r.all = slices.Delete(r.all, at, at+1)
	return text
}
