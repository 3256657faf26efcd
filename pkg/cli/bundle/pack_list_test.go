package bundle

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// What is left out may have any name: it is not checked as what is packed.
func TestNamesThatAreLeftOutDoNotSteerATerminal(t *testing.T) {
	left := &archive.Contents{Left: []archive.Omission{{Name: ".env\x1b]0;x\a\n1 B  krt.yml", Reason: archive.Secret}}}
	var out strings.Builder
	require.NoError(t, printList(&out, left))
	WarnLeftOut(&out, left)
	require.Equal(t, "  left out  .env\\x1b]0;x\\a 1 B krt.yml  (may hold secrets)\n0 files, 0 B; 1 left out\n"+
		"Left out: .env\\x1b]0;x\\a 1 B krt.yml (may hold secrets). To include one, add the line \"!NAME\" to .krtignore.\n", out.String())
}
