package site

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSiteIsWhole follows every link of the site, and finds nothing that is loaded from elsewhere.
func TestSiteIsWhole(t *testing.T) {
	to := t.TempDir()
	require.NoError(t, Write("../../..", to))
	attribute := regexp.MustCompile(`<[^>]*\b(href|src|srcset)="([^"]*)"`)
	pages, links := 0, 0
	err := fs.WalkDir(os.DirFS(to), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".html" {
			return err
		}
		pages++
		text, err := os.ReadFile(filepath.Join(to, name))
		require.NoError(t, err)
		require.NotContains(t, string(text), "<script")
		for _, found := range attribute.FindAllStringSubmatch(string(text), -1) {
			u, err := url.Parse(found[2])
			require.NoError(t, err)
			if u.Scheme != "" {
				require.Equalf(t, "href", found[1], "%s loads %s", name, found[2])
				continue
			}
			links++
			target := path.Join(path.Dir(name), u.Path)
			if u.Path == "" {
				target = name
			}
			content, err := os.ReadFile(filepath.Join(to, target))
			if info, statErr := os.Stat(filepath.Join(to, target)); statErr == nil && info.IsDir() {
				continue
			}
			require.NoErrorf(t, err, "%s refers to %s", name, found[2])
			if u.Fragment != "" && path.Ext(target) == ".html" {
				require.Truef(t, strings.Contains(string(content), `id="`+u.Fragment+`"`), "%s refers to %s", name, found[2])
			}
		}
		return nil
	})
	require.NoError(t, err)
	t.Logf("%d pages, %d links", pages, links)
}
