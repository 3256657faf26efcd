// Package shell executes the code blocks of a page of the documentation in one shell, as a reader does
// who copies them one after the other.
package shell

import (
	"fmt"
	"strings"

	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/test/docs/page"
)

// ready is what kn-krt run prints when a version serves.
const ready = " is ready (press Ctrl-C"

// preamble has await, which waits until the file $1, written by process $2, has the text $3. It gives up
// when the process has ended, or after 1,800 tries, about three minutes.
const preamble = `set -eo pipefail
exec 2>&1
__folder=$PWD
__await() {
	local tries=1800
	until grep -qF -- "$3" "$1"; do
		kill -0 "$2" 2>/dev/null && ((tries--)) || { cat "$1"; echo "$3: not printed"; exit 1; }
		sleep 0.1
	done
}
`

// separator begins the line that the script prints before each block, followed by the block's number.
const separator = "\x1e"

// step is a block of a page that has a part in its script.
type step struct {
	page.Block
	page.Marker
}

// takes reports whether a block with that marker is part of the script of a page that is run by how:
// [page.Run] or [page.Cluster].
func takes(how page.How, m page.Marker) bool {
	if m.File != "" || m.How == page.Output {
		return true
	}
	if how == page.Cluster {
		return m.How == page.Cluster
	}
	return m.How == page.Run || m.How == page.Background
}

// script is what bash executes for the steps. The log of the step numbered i, if it runs in the background,
// is log(i).
func script(steps []step, log func(int) string) string {
	var b strings.Builder
	b.WriteString(preamble)
	for i, s := range steps {
		if s.How == page.Output {
			continue
		}
		fmt.Fprintf(&b, "printf '%s%%s\\n' %d\n", separator, i)
		switch {
		case s.File != "":
			name := "\"$__folder\"/" + legible.Argument(s.File)
			fmt.Fprintf(&b, "mkdir -p \"$(dirname %[1]s)\"\nprintf '%%s' %[2]s >%[1]s\n", name, legible.Argument(s.Text))
		case s.How == page.Background:
			until := s.Value
			if until == "" {
				until = ready
			}
			fmt.Fprintf(&b, "(\n%s\n) >%s 2>&1 </dev/null &\n__await %[2]s $! %s\n", s.Text, legible.Argument(log(i)), legible.Argument(until))
		default:
			// What set -e lets pass, such as a && b with a failing a, fails as the last command of a block.
			fmt.Fprintf(&b, "%s\n__code=$?; test $__code = 0 || exit $__code\n", s.Text)
		}
	}
	fmt.Fprintf(&b, "printf '%send\\n'\n", separator)
	return b.String()
}

// split divides what a script has printed by step, and reports how far it got: the number of the last step
// that began, and whether all ended.
func split(printed string) (outputs map[int]string, last int, ended bool) {
	outputs, last = map[int]string{}, -1
	for _, part := range strings.Split(printed, separator)[1:] {
		number, text, _ := strings.Cut(part, "\n")
		if number == "end" {
			return outputs, last, true
		}
		if _, err := fmt.Sscan(number, &last); err == nil {
			outputs[last] = text
		}
	}
	return outputs, last, false
}
