package dashboard

import (
	"net/http"
	"sync"
)

// Bounds of pages that are open at a time, with a stream each: of all users, and of one.
const (
	maxStreams    = 256
	maxOwnStreams = 32
)

// Failures of a page that would be one too many.
var (
	errFull    = &failure{Status: http.StatusServiceUnavailable, Text: "As many pages of this dashboard are open as it can keep up to date."}
	errOwnFull = &failure{
		Status: http.StatusTooManyRequests, Text: "You have as many pages of this dashboard open as one user may have: close some.",
	}
)

// seats are the streams that are open, by user. The zero value has none.
type seats struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// take takes one for a user, until leave is called. A user without a name is bounded like all.
func (s *seats) take(user string) (leave func(), f *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case user != "" && s.of[user] >= maxOwnStreams:
		return nil, errOwnFull
	case s.all >= maxStreams:
		return nil, errFull
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.all++
	s.of[user]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[user]--; s.of[user] == 0 {
			delete(s.of, user)
		}
	}, nil
}
