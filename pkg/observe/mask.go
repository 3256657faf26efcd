package observe

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// hidden stands where a config value stood.
	hidden = "***"
	// maxQuote is how many bytes of a program's own words a condition repeats.
	maxQuote = 256
	// certain is the length from which on a value is hidden wherever it stands; a
	// shorter one ("1", "on") only where it stands alone, or messages were unreadable.
	certain = 4
)

// Mask hides the values of a version's config in what programs say of themselves.
// The zero Mask hides nothing.
type Mask struct {
	long  *strings.Replacer
	short []string
}

// NewMask makes a mask of the values of a Secret. Every line of a value is hidden on its own too.
func NewMask(data map[string][]byte) Mask {
	var all []string
	for _, value := range data {
		all = append(all, strings.TrimSpace(string(value)))
		for line := range strings.Lines(string(value)) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	// The longest first: a value may be the beginning of another one.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var m Mask
	var pairs []string
	for _, value := range slices.Compact(all) {
		switch {
		case value == "":
		case len(value) < certain:
			m.short = append(m.short, value)
		default:
			pairs = append(pairs, value, hidden)
		}
	}
	if pairs != nil {
		m.long = strings.NewReplacer(pairs...)
	}
	return m
}

// Hide returns text without the values.
func (m Mask) Hide(text string) string {
	if m.long != nil {
		text = m.long.Replace(text)
	}
	for _, value := range m.short {
		text = hideWord(text, value)
	}
	return text
}

// hideWord hides value where no letter or digit stands beside it.
func hideWord(text, value string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, value)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(value):])
		b.WriteString(text[:i])
		if isWord(before) || isWord(after) {
			b.WriteString(value)
		} else {
			b.WriteString(hidden)
		}
		text = text[i+len(value):]
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// Quote is what a condition repeats of a program's last words: the last line,
// without config values, at most maxQuote bytes.
func (m Mask) Quote(text string) string {
	var last string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return cut(m.Hide(spoken(last)))
}

// spoken is what a line of a structured log says: its message and its error. Any
// other line is returned as it is.
func spoken(line string) string {
	var record struct {
		Msg     string `json:"msg"`
		Message string `json:"message"`
		Err     string `json:"err"`
		Error   string `json:"error"`
	}
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &record) != nil {
		return line
	}
	said := cmp.Or(record.Msg, record.Message)
	if fault := cmp.Or(record.Error, record.Err); fault != "" && said != "" {
		return said + ": " + fault
	} else if fault != "" {
		return fault
	}
	return cmp.Or(said, line)
}

// cut shortens text to at most maxQuote bytes.
func cut(text string) string { return clip.Text(strings.ToValidUTF8(text, "?"), maxQuote-len("…")) }
