package term

// Terminal colours (ECMA-48 SGR).
const (
	ColourReset = "\x1b[0m"
	ColourGood  = "\x1b[32m"
	ColourBad   = "\x1b[31m"
	ColourWarn  = "\x1b[33m"
)

// Painter colours texts on a terminal, and leaves them as they are elsewhere. It is not
// safe for concurrent use.
type Painter struct {
	on    bool
	names map[string]string // to colours
}

// NewPainter returns a painter that colours texts if on.
func NewPainter(on bool) *Painter { return &Painter{on: on, names: map[string]string{}} }

// Paint returns text in the colour, one of the constants above.
func (p *Painter) Paint(colour, text string) string {
	if !p.on {
		return text
	}
	return colour + text + ColourReset
}

// Name returns "[name]" in the name's own colour. Names get colours in turn; green and
// red are not among them, because they mean good and bad.
func (p *Painter) Name(name string) string {
	colours := []string{"\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[33m", "\x1b[96m", "\x1b[95m", "\x1b[94m"}
	if p.names[name] == "" {
		p.names[name] = colours[len(p.names)%len(colours)]
	}
	return p.Paint(p.names[name], "["+name+"]")
}

// Marks of a state, as kn has them.
const (
	MarkGood    = "++"
	MarkBad     = "!!"
	MarkUnknown = "??"
	MarkInfo    = " I"
	MarkWarning = " W"
)

// Paint colours a mark if Out is a terminal.
func (s Streams) Paint(mark string) string {
	colour := ""
	switch mark {
	case MarkGood:
		colour = ColourGood
	case MarkBad:
		colour = ColourBad
	case MarkUnknown, MarkWarning:
		colour = ColourWarn
	}
	return NewPainter(s.TTY && colour != "").Paint(colour, mark)
}
