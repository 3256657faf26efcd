package depcheck

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// timeless are the packages whose results depend on a time that is passed, if on any.
var timeless = []string{"pkg/judge", "pkg/observe", "pkg/render"}

// clock finds reads of the clock.
var clock = regexp.MustCompile(`\b(time\.(Now|Since|Until|After|NewTimer|NewTicker)|metav1\.Now)\(`)

func TestPurePackagesReadNoClock(t *testing.T) {
	eachGoFile(t, func(t *testing.T, name string, text []byte) {
		if slices.Contains(timeless, path.Dir(name)) && !strings.HasSuffix(name, "_test.go") {
			require.Emptyf(t, string(clock.Find(text)), "%s reads the clock: pass the time", name)
		}
	})
}
