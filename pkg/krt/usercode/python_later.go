package usercode

import (
	"fmt"
	"regexp"
)

// What distinguishes the generations of Python nodes. Text is enough: a wrong guess is possible only where
// a name is in a string, and running the code to know would be unsafe.
var (
	handlerPattern = regexp.MustCompile(`(?m)^((async[ \t]+)?def[ \t]+handler[ \t]*\(|handler[ \t]*[:=]|(from|import)[ \t].*(\bhandler\b|\*))`)
	defaultPattern = regexp.MustCompile(`(?m)^((async[ \t]+)?def[ \t]+default_handler[ \t]*\(|default_handler[ \t]*[:=])`)
	outputPattern  = regexp.MustCompile(`(?m)^[^#\n]*\bctx\.(send_output|send_any)[ \t]*\(`)
)

// DefinesHandler reports whether the text of a Python node seems to define a handler.
func DefinesHandler(text []byte) bool { return handlerPattern.Match(text) }

// LaterPython returns what shows that a Python node is written for runner 3 of the original, whose names
// this platform does not have: "calls ctx.send_output"; "" if nothing does.
func LaterPython(text []byte) string {
	switch output := outputPattern.FindSubmatch(text); {
	case defaultPattern.Match(text) && !DefinesHandler(text):
		return "defines default_handler"
	case output != nil:
		return fmt.Sprintf("calls ctx.%s", output[1])
	}
	return ""
}
