package docs_test

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/page"
)

// TestLinksResolve checks files and anchors. Addresses outside the repository are checked for their form
// only: what others serve does not make our tests fail.
func TestLinksResolve(t *testing.T) {
	anchors, inside, outside := map[string][]string{}, 0, map[string]bool{}
	all := pages(t)
	for _, p := range all {
		anchors[p.Name] = p.Anchors
	}
	for _, p := range all {
		for _, l := range p.Links {
			if l.External() {
				outside[l.To] = true
				requireAddress(t, l)
				continue
			}
			inside++
			name, fragment, err := l.Target()
			if !assert.NoError(t, err, l.At()) || !exists(t, l, name) {
				continue
			}
			known, isPage := anchors[name]
			if fragment != "" && isPage {
				assert.Containsf(t, known, fragment, "%s: %q: there is no such heading", l.At(), l.To)
			}
		}
	}
	t.Logf("%d links within the repository; %d addresses outside:\n%s", inside, len(outside),
		strings.Join(slices.Sorted(maps.Keys(outside)), "\n"))
}

// TestPicturesAreShown: no file below docs/images is without a page that shows it.
func TestPicturesAreShown(t *testing.T) {
	shown := map[string]bool{}
	for _, p := range pages(t) {
		for _, l := range p.Links {
			if !l.External() {
				name, _, err := l.Target()
				require.NoError(t, err, l.At())
				shown[name] = true
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "docs/images/*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name, err := filepath.Rel(root, file)
		require.NoError(t, err)
		assert.Truef(t, shown[filepath.ToSlash(name)], "no page shows %s", name)
	}
}

func exists(t *testing.T, l page.Link, name string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
	return assert.NoErrorf(t, err, "%s: %q refers to nothing", l.At(), l.To)
}

func requireAddress(t *testing.T, l page.Link) {
	t.Helper()
	u, err := url.Parse(l.To)
	require.NoError(t, err, l.At())
	switch u.Scheme {
	case "mailto":
	case "http":
		assert.Containsf(t, []string{"localhost", "127.0.0.1"}, u.Hostname(), "%s: %s: use https", l.At(), l.To)
	default:
		assert.Equalf(t, "https", u.Scheme, "%s: %s", l.At(), l.To)
		assert.Containsf(t, u.Hostname(), ".", "%s: %s has no host", l.At(), l.To)
	}
}
