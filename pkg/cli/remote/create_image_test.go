package remote

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image"
)

// The go command prints the place of an error as a //line comment of the bundle's code names it, which may be
// what it prints itself when it downloads.
func TestProgressDoesNotSteerATerminal(t *testing.T) {
	var out strings.Builder
	p := imageProgress{out: &out}
	p.event(image.Event{Type: image.EventDownload, Node: "etl", Text: "downloading \x1b]52;c;eA==\a:1:2: undefined: y\r"})
	require.Contains(t, out.String(), `s node etl: downloading \x1b]52;c;eA==\a:1:2: undefined: y`+"\n")
}
