package term

// Terminal colours (ECMA-48 SGR).
const (
	ColourReset = "\x1b[0m"
	ColourGood  = "\x1b[32m"
	ColourBad   = "\x1b[31m"
	ColourWarn  = "\x1b[33m"
)

// NodeColours are given to nodes in turn; red and green mean something else.
func NodeColours() []string {
	return []string{"\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[33m", "\x1b[96m", "\x1b[95m", "\x1b[94m"}
}

// Signs of a state: kn's.
const (
	MarkGood    = "++"
	MarkBad     = "!!"
	MarkUnknown = "??"
	MarkInfo    = " I"
	MarkWarning = " W"
)

// Paint colours a sign on a terminal.
func (s Streams) Paint(sign string) string {
	colour := ""
	switch sign {
	case MarkGood:
		colour = ColourGood
	case MarkBad:
		colour = ColourBad
	case MarkUnknown, MarkWarning:
		colour = ColourWarn
	}
	if !s.TTY || colour == "" {
		return sign
	}
	return colour + sign + ColourReset
}
