package letter

import (
	"maps"
	"strings"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Legal returns l with a CausationID and attributes of Event that can be kept. They have what producers
// of events have written, such as an id of any length with any characters: that may not cost the letter.
func (l Letter) Legal() Letter {
	l.CausationID = clip.Text(onOneLine(l.CausationID), maxID-len("…"))
	l.Event = maps.Clone(l.Event)
	for name, value := range l.Event {
		l.Event[name] = onOneLine(value)
	}
	return l
}

// onOneLine is a text without what [plain] does not allow.
func onOneLine(text string) string {
	if plain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, text) // it makes what is not UTF-8 that, too
}
