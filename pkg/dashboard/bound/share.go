// Package bound keeps the browsers of a dashboard, however many and however slow, from having more of
// the program's memory and connections than it can give, and one user from having all of it.
package bound

import (
	"errors"
	"sync"
)

// Share is what all users have together, such as streams or bytes: Most of them, and Own for each that
// has a name.
type Share struct {
	Most, Own int

	mu    sync.Mutex
	taken int
	of    map[string]int
}

// Errors of a [Share] of which there is not enough left.
var (
	ErrMost = errors.New("all users together have as much as there is")
	ErrOwn  = errors.New("the user has as much as one user may have")
)

// Take takes n for a user until leave is called, once. The error is [ErrMost] or [ErrOwn].
func (s *Share) Take(user string, n int) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case user != "" && s.of[user]+n > s.Own:
		return nil, ErrOwn
	case s.taken+n > s.Most:
		return nil, ErrMost
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.taken += n
	s.of[user] += n
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken -= n
		if s.of[user] -= n; s.of[user] == 0 {
			delete(s.of, user)
		}
	}, nil
}
