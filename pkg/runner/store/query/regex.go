package query

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// compile checks and compiles the condition's regular expression. What RE2 cannot do in
// linear time is refused by name.
func (c *Condition) compile(options any) error {
	pattern, ok := c.Value.(string)
	if !ok {
		return errors.New("$regex requires a string")
	}
	if len(pattern) > MaxPatternBytes {
		return fmt.Errorf("$regex has more than %d bytes", MaxPatternBytes)
	}
	if err := checkText(pattern); err != nil {
		return fmt.Errorf("$regex: %w", err)
	}
	if options != nil {
		if c.Options, ok = options.(string); !ok {
			return errors.New("$options requires a string")
		}
	}
	if i := strings.IndexFunc(c.Options, func(r rune) bool { return !strings.ContainsRune("ims", r) }); i >= 0 {
		return fmt.Errorf("$options %q: supported are i, m, s", c.Options)
	}
	if c.Options != "" {
		pattern = "(?" + c.Options + ")" + pattern
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("$regex %q: %s", c.Value, reason(err))
	}
	if size(tree) > MaxPatternSize {
		return fmt.Errorf("$regex %q: it is too large", c.Value)
	}
	c.Pattern, err = regexp.Compile(pattern)
	return err
}

// reason says what RE2 lacks, by the name under which people know it.
func reason(err error) string {
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return err.Error()
	}
	at := bad.Expr
	for _, known := range []struct{ start, name string }{
		{"(?=", "lookahead"}, {"(?!", "negative lookahead"}, {"(?<=", "lookbehind"}, {"(?<!", "negative lookbehind"},
		{"(?>", "an atomic group"}, {"(?#", "a comment"}, {"(?(", "a condition"},
	} {
		if strings.HasPrefix(at, known.start) {
			return fmt.Sprintf("%s, %s…), is not supported", known.name, known.start)
		}
	}
	if bad.Code == syntax.ErrInvalidEscape && len(at) > 1 && (at[1] >= '1' && at[1] <= '9' || at[1] == 'k') {
		return fmt.Sprintf("a backreference, %s, is not supported", at)
	}
	return fmt.Sprintf("%s: %q", bad.Code, at)
}

// size is about how many instructions a regular expression has, without compiling it.
func size(tree *syntax.Regexp) int {
	total := 1 + len(tree.Rune)
	for _, sub := range tree.Sub {
		total += size(sub)
	}
	if tree.Op == syntax.OpRepeat {
		total *= max(tree.Min, tree.Max, 1)
	}
	return min(total, MaxPatternSize+1)
}
