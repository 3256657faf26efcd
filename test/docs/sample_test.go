package docs_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// sampleID is an id of a request, as entrypoints make them.
var sampleID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// TestSampleIDsFit: a page has one request as its example. Its id is the same wherever the page shows it, so
// that a reader can follow it from a command to the output and to the next command.
func TestSampleIDsFit(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		first := ""
		for _, b := range p.Blocks {
			for _, id := range sampleID.FindAllString(b.Text, -1) {
				count++
				if first == "" {
					first = id
				}
				require.Equal(t, first, id, "%s shows another id than the page does before", b.At())
			}
		}
	}
	require.NotZero(t, count)
}
