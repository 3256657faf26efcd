package chronograf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// kind is that of a token.
type kind int

const (
	word   kind = iota // a name or a keyword
	text               // of a string, without its quotes
	number             // with its unit, if it is a duration
	symbol
)

// token is a token of a query, in either language.
type token struct {
	kind
	value string
	quote byte // of a text
}

// is reports whether the token is the word or symbol, in any letter case.
func (t token) is(value string) bool {
	return (t.kind == word || t.kind == symbol) && strings.EqualFold(t.value, value)
}

// symbols of two characters.
var pairs = []string{"|>", "=>", "==", "!=", "<=", ">=", "=~", "!~", "<>"}

// lex splits a query into tokens. Comments are left out.
func lex(query string) (tokens []token, err error) {
	for rest := query; ; {
		rest = skip(rest)
		if rest == "" {
			return tokens, nil
		}
		var t token
		t, rest, err = next(rest)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
}

// skip returns rest without the space and the comment at its beginning.
func skip(rest string) string {
	for {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if !strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "--") {
			return rest
		}
		_, rest, _ = strings.Cut(rest, "\n")
	}
}

// next returns the first token.
func next(rest string) (token, string, error) {
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return quoted(rest)
	case letter(rest):
		return run(word, rest, "_")
	case c >= '0' && c <= '9':
		return run(number, rest, ".")
	}
	for _, pair := range pairs {
		if strings.HasPrefix(rest, pair) {
			return token{kind: symbol, value: pair}, rest[len(pair):], nil
		}
	}
	return token{kind: symbol, value: rest[:1]}, rest[1:], nil
}

// run returns the letters and digits at the beginning of rest, and what is in more.
func run(k kind, rest, more string) (token, string, error) {
	end := strings.IndexFunc(rest, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(more, r)
	})
	if end < 0 {
		end = len(rest)
	}
	return token{kind: k, value: rest[:end]}, rest[end:], nil
}

// letter reports whether s begins with a letter.
func letter(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(first) || first == '_'
}

// quoted returns the string at the beginning of rest.
func quoted(rest string) (token, string, error) {
	var value strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == rest[0]:
			return token{kind: text, value: value.String(), quote: rest[0]}, rest[i+1:], nil
		case c == '\\' && i+1 < len(rest):
			i++
			value.WriteByte(rest[i])
		default:
			value.WriteByte(c)
		}
	}
	return token{}, "", fmt.Errorf("a string has no end in its query")
}

// duration reads a length of time such as 10s, 5m, 1h, 1h30m or 7d.
func duration(value string) (time.Duration, bool) {
	const day = 24 * time.Hour
	var total time.Duration
	for rest := value; rest != ""; {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits <= 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, false
		}
		rest = rest[digits:]
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' })
		if end < 0 {
			end = len(rest)
		}
		unit, ok := map[string]time.Duration{
			"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day,
		}[rest[:end]]
		if !ok {
			return 0, false
		}
		if total += time.Duration(n) * unit; total < 0 || total > 3660*day {
			return 0, false
		}
		rest = rest[end:]
	}
	return total, total > 0
}

// join writes tokens as text, for comparisons with a form that is known and for reasons.
func join(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && t.kind != symbol && tokens[i-1].kind != symbol {
			b.WriteByte(' ')
		}
		if t.kind == text {
			b.WriteString(strconv.Quote(t.value))
		} else {
			b.WriteString(t.value)
		}
	}
	return b.String()
}
