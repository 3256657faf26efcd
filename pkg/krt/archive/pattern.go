package archive

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// pattern is a line of .gitignore or .krtignore, with git's meaning (gitignore(5)).
type pattern struct {
	glob    *regexp.Regexp // of bytes as characters: what "?" matches is a byte to git
	negated bool           // "!": what it matches is taken in after all
	folders bool           // "/" at the end: matches folders only
	text    string         // as it is written, without "!" and "/" at the end
	// head and tail are what names, or with atAnyDepth their last elements, begin and end with
	// that it matches: for most names, comparing these is enough.
	head, tail string
	atAnyDepth bool
	// named: its last element has no wildcard.
	named bool
}

// match reports whether the pattern matches name, whose bytes as characters are text.
func (p pattern) match(name, text string) bool { return p.may(name) && p.glob.MatchString(text) }

// may reports whether the pattern may match name, at next to no cost.
func (p pattern) may(name string) bool {
	if !strings.HasSuffix(name, p.tail) {
		return false
	}
	if p.atAnyDepth {
		name = name[strings.LastIndex(name, "/")+1:]
	}
	return strings.HasPrefix(name, p.head)
}

// bytesAsText returns text with a character for each byte.
func bytesAsText(text string) string {
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

// maxPattern is how long a pattern may be, in bytes.
const maxPattern = 1024

// errNoGlob is returned for a pattern that git would let match nothing.
var errNoGlob = errors.New("is not a glob")

// parsePattern reads a line; ok is false for one without a pattern.
func parsePattern(line string) (p pattern, ok bool, err error) {
	line = trimSpaces(strings.TrimSuffix(line, "\r"))
	if len(line) > maxPattern {
		return p, false, fmt.Errorf("is longer than %d bytes", maxPattern)
	}
	if line == "" || line[0] == '#' {
		return p, false, nil
	}
	line, p.negated = strings.CutPrefix(line, "!")
	line, p.folders = strings.CutSuffix(line, "/")
	if line == "" {
		return p, false, nil
	}
	p.atAnyDepth = !strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	p.text, p.tail, p.head = line, line[strings.LastIndexAny(line, `/*?[]\`)+1:], line
	if end := strings.IndexAny(line, `*?[\`); end >= 0 {
		p.head = line[:end]
	}
	p.named = !strings.ContainsAny(line[strings.LastIndex(line, "/")+1:], `*?[\`)
	var expression strings.Builder
	expression.WriteString(`(?s)^`)
	if p.atAnyDepth {
		expression.WriteString(`(?:.*/)?`)
	}
	if err := translate(&expression, line); err != nil {
		return p, false, err
	}
	expression.WriteString(`$`)
	// RE2: its time grows with the length of a name only, whatever the pattern.
	p.glob, err = regexp.Compile(bytesAsText(expression.String()))
	if err != nil {
		return p, false, errNoGlob // such as a range that runs backwards
	}
	return p, true, nil
}

// trimSpaces cuts spaces at the end, but one after a backslash.
func trimSpaces(line string) string {
	for strings.HasSuffix(line, " ") && !escapedEnd(line[:len(line)-1]) {
		line = line[:len(line)-1]
	}
	return line
}

// escapedEnd reports whether what follows text is escaped: text ends in an odd number of backslashes.
func escapedEnd(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// translate writes glob as a regular expression. "**" means folders where it is all
// between slashes, and is a "*" elsewhere.
func translate(to *strings.Builder, glob string) error {
	for i := 0; i < len(glob); {
		rest := glob[i:]
		after := strings.TrimLeft(rest, "*")
		stars := len(rest) - len(after)
		alone := stars > 1 && (i == 0 || glob[i-1] == '/')
		switch {
		case alone && strings.HasPrefix(after, "/"):
			to.WriteString(`(?:.*/)?`)
			i += stars + 1
		case alone && after == "":
			to.WriteString(`.+`)
			return nil
		case stars > 0:
			to.WriteString(`[^/]*`)
			i += stars
		default:
			length := translateOne(to, rest)
			if length == 0 {
				return errNoGlob
			}
			i += length
		}
	}
	return nil
}

// translateOne writes the expression for one character at the beginning of glob, and returns how
// long that is; 0 if it does not end.
func translateOne(to *strings.Builder, glob string) (length int) {
	switch c := glob[0]; {
	case c == '?':
		to.WriteString(`[^/]`)
	case c == '[':
		class, length := translateClass(glob)
		to.WriteString(class)
		return length
	case c == '\\' && len(glob) == 1:
		return 0
	case c == '\\':
		to.WriteString(quoted(glob[1]))
		return 2
	default:
		to.WriteString(quoted(c))
	}
	return 1
}

// quoted is the byte c as an expression.
func quoted(c byte) string {
	if c >= 0x80 {
		return string([]byte{c})
	}
	return regexp.QuoteMeta(string(rune(c)))
}

// translateClass returns the expression for the "[…]" that glob begins with, and how long that
// is; 0 if it does not end. It never matches a slash.
func translateClass(glob string) (expression string, length int) {
	var set [256]bool
	i := 1
	negated := i < len(glob) && (glob[i] == '!' || glob[i] == '^')
	if negated {
		i++
	}
	last := -1 // the character that a range may begin with
	for first := i; i < len(glob); i++ {
		name, posix := posixClass(glob[i:])
		switch {
		case glob[i] == ']' && i > first:
			return classExpression(set, negated), i + 1
		case posix && !addClass(&set, name):
			return "", 0
		case posix:
			i, last = i+len("[:")+len(name)+len(":]")-1, -1
		case last >= 0 && isRange(glob[i:]):
			i = escapedAt(glob, i+1)
			addRange(&set, last, int(glob[i]))
			last = -1
		default:
			i = escapedAt(glob, i)
			set[glob[i]], last = true, int(glob[i])
		}
	}
	return "", 0
}

func addRange(set *[256]bool, from, to int) {
	for b := from; b <= to; b++ {
		set[b] = true
	}
}

// isRange reports whether text begins with the "-" of a range and its end.
func isRange(text string) bool { return len(text) > 1 && text[0] == '-' && text[1] != ']' }

// posixClass returns the name of the class, "[:name:]", that text begins with.
func posixClass(text string) (name string, ok bool) {
	if rest, begins := strings.CutPrefix(text, "[:"); begins {
		name, _, ok = strings.Cut(rest, ":]")
	}
	return name, ok
}

// escapedAt returns the position of the character at i: after the backslash, if that is one.
func escapedAt(glob string, i int) int {
	if glob[i] == '\\' && i+1 < len(glob) {
		return i + 1
	}
	return i
}

// addClass adds the characters of a POSIX class, which git has as in the C locale.
func addClass(set *[256]bool, name string) bool {
	class, err := regexp.Compile("^[[:" + name + ":]]$")
	if err != nil {
		return false
	}
	for b := range 0x80 {
		set[b] = set[b] || class.MatchString(string(rune(b)))
	}
	return true
}

// classExpression is the class of the bytes in set, or of the others, but for the slash.
func classExpression(set [256]bool, negated bool) string {
	var expression strings.Builder
	in := func(b int) bool { return b < len(set) && set[b] != negated && b != '/' }
	for b := 0; b < len(set); b++ {
		if !in(b) {
			continue
		}
		fmt.Fprintf(&expression, `\x%02x`, b)
		first := b
		for in(b + 1) {
			b++
		}
		if b > first {
			fmt.Fprintf(&expression, `-\x%02x`, b)
		}
	}
	if expression.Len() == 0 {
		return `[^\x00-\xff]` // nothing
	}
	return "[" + expression.String() + "]"
}
