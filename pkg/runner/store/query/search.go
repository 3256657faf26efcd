package query

import (
	"context"
	"io"
	"regexp"
	"strings"
)

const (
	// stepsPerCheck is how many steps of a search there are between two looks at its context.
	stepsPerCheck = 1024
	// longText is how many bytes of text a pattern is matched with at once.
	longText = 4 << 10
)

// search is the comparison of one document. When its context is done, each of its loops
// ends, and what it has found means nothing.
type search struct {
	ctx   context.Context
	err   error // of ctx, once it is done
	steps int
}

// ended counts a step, and reports whether the context is done.
func (s *search) ended() bool {
	if s.steps++; s.err == nil && s.steps%stepsPerCheck == 0 {
		s.err = s.ctx.Err()
	}
	return s.err != nil
}

// text reports whether a pattern matches a text.
func (s *search) text(pattern *regexp.Regexp, text string) bool {
	if len(text) <= longText {
		s.steps = stepsPerCheck - 1 // this may take as long as many other steps
		return !s.ended() && pattern.MatchString(text)
	}
	return pattern.MatchReader(&runes{s, strings.NewReader(text)})
}

// runes reads a text that ends when the search does.
type runes struct {
	search *search
	text   *strings.Reader
}

// ReadRune returns the next character.
func (r *runes) ReadRune() (char rune, size int, err error) {
	if r.search.ended() {
		return 0, 0, io.EOF
	}
	return r.text.ReadRune()
}
