package observe

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// hidden replaces a config value.
	hidden = "***"
	// maxQuote is how many bytes a condition quotes at most.
	maxQuote = 256
	// certain is the length from which a value is hidden everywhere; a shorter one ("1",
	// "on") only where it is a word of its own, or messages would be unreadable.
	certain = 4
	// leastPart is the length from which a part of a value is hidden at an end of a text: the kubelet keeps only the end
	// of what a program wrote (2 or 4 KiB), and less of it in a pod of many containers. leastInside is the same for a
	// text that is nothing else than the inside of a value.
	leastPart, leastInside = 8, maxQuote
)

// Mask hides the values of a version's config in the messages of programs. The zero Mask
// hides nothing.
type Mask struct {
	long  *strings.Replacer
	parts []string // of which a part is hidden at an end of a text
	short []string
}

// NewMask returns a mask for the values of a Secret. It also hides each line of a value, and values that are quoted or
// in base64.
func NewMask(data map[string][]byte) Mask {
	var all []string
	for _, value := range data {
		all = append(all, strings.TrimSpace(string(value)))
		all = append(all, written(string(value))...)
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
			if len(value) > leastPart {
				m.parts = append(m.parts, value)
			}
		}
	}
	if pairs != nil {
		m.long = strings.NewReplacer(pairs...)
	}
	return m
}

// written are other forms in which programs write a value: quoted as by Go, JSON and Python, and in base64.
func written(value string) (forms []string) {
	trimmed := strings.TrimSpace(value)
	if len(trimmed) < certain {
		return nil
	}
	text, _ := json.Marshal(trimmed) // this cannot fail
	for _, quoted := range []string{string(text), strconv.Quote(trimmed), strconv.QuoteToASCII(trimmed)} {
		forms = append(forms, quoted[1:len(quoted)-1])
	}
	forms = append(forms, strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(trimmed))
	for _, plain := range []string{value, trimmed} { // the padding may stay
		forms = append(forms, base64.RawStdEncoding.EncodeToString([]byte(plain)), base64.RawURLEncoding.EncodeToString([]byte(plain)))
	}
	return forms
}

// hideEnds hides at the ends of text what is the end or the beginning of a value: text may be cut.
func (m Mask) hideEnds(text string) string {
	begin, end := 0, len(text)
	for _, value := range m.parts {
		if len(text) >= leastInside && strings.Contains(value, text) {
			return hidden
		}
		b, e := cut(text, value)
		begin, end = max(begin, b), min(end, e)
	}
	switch {
	case begin == 0 && end == len(text):
		return text
	case begin >= end:
		return hidden
	case begin > 0 && end < len(text):
		return hidden + text[begin:end] + hidden
	case begin > 0:
		return hidden + text[begin:]
	}
	return text[:end] + hidden
}

// cut returns where the end of value, with which text begins, ends, and where the beginning of value, with which text
// ends, begins: 0 and the length of text if it does not.
func cut(text, value string) (begin, end int) {
	end = len(text)
	for n := min(len(value), len(text)); n >= leastPart; n-- {
		if begin == 0 && strings.HasPrefix(text, value[len(value)-n:]) {
			begin = n
		}
		if end == len(text) && strings.HasSuffix(text, value[:n]) {
			end = len(text) - n
		}
	}
	return begin, end
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

// hideWord hides value where no letter or digit is next to it.
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

// Quote returns what a condition quotes of a program's output: the last line, without
// config values, at most maxQuote bytes.
func (m Mask) Quote(text string) string {
	var last string
	for line := range strings.Lines(m.hideEnds(strings.TrimSpace(text))) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return shorten(m.Hide(logText(last)))
}

// logText returns the message and the error of a line of a structured log, and any other
// line as it is.
func logText(line string) string {
	var record struct {
		Msg     string `json:"msg"`
		Message string `json:"message"`
		Err     string `json:"err"`
		Error   string `json:"error"`
	}
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &record) != nil {
		return line
	}
	message, failure := cmp.Or(record.Msg, record.Message), cmp.Or(record.Error, record.Err)
	if message != "" && failure != "" {
		return message + ": " + failure
	}
	return cmp.Or(message, failure, line)
}

// shorten returns text as valid UTF-8 of at most maxQuote bytes.
func shorten(text string) string {
	return clip.Text(strings.ToValidUTF8(text, "?"), maxQuote-len("…"))
}
