package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxJavaScript is the most that all scripts have in bytes.
const maxJavaScript = 120 << 10

func TestThirdPartyFiles(t *testing.T) {
	const uplot = "assets/third_party/uplot/"
	want := map[string]string{
		"assets/third_party/README.md": "",
		uplot + "LICENSE":              "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
		uplot + "uPlot.iife.min.js":    "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
		uplot + "uPlot.min.css":        "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	}
	eachAsset(t, "assets/third_party", func(name string, text []byte) {
		digest, known := want[name]
		require.Truef(t, known, "%s has no digest here", name)
		if sum := sha256.Sum256(text); digest != "" {
			require.Equalf(t, digest, hex.EncodeToString(sum[:]), "%s is not the published file", name)
		}
		delete(want, name)
	})
	require.Empty(t, want)
}

func TestJavaScriptStaysSmall(t *testing.T) {
	total := 0
	eachAsset(t, "assets", func(name string, text []byte) {
		if path.Ext(name) == ".js" {
			total += len(text)
		}
	})
	require.LessOrEqual(t, total, maxJavaScript)
	t.Logf("%d bytes of JavaScript", total)
}

// The styles of all pages are one file: a class that begins the rules of two pages would make one
// page change with the other. Files up to 2 are what all pages share.
func TestPagesHaveClassesOfTheirOwn(t *testing.T) {
	owner, noise := map[string]string{}, regexp.MustCompile(`(?s)/\*.*?\*/|\{[^{}]*\}|@[^{]*\{`)
	first, class := regexp.MustCompile(`^(?:[a-z]+)?\.([\w-]+)`), regexp.MustCompile(`\.[a-z][\w-]*`)
	shared := map[string]bool{".scripted": true} // JavaScript is on
	eachAsset(t, "assets/css", func(name string, text []byte) {
		if path.Base(name) < "3" {
			for _, one := range class.FindAllString(string(text), -1) {
				shared[one] = true
			}
			return
		}
		for _, selector := range regexp.MustCompile(`[,}\n]`).Split(noise.ReplaceAllString(string(text), ","), -1) {
			begins := first.FindStringSubmatch(strings.TrimSpace(selector))
			if begins == nil || shared["."+begins[1]] {
				continue
			}
			if known := owner[begins[1]]; known != "" {
				require.Equalf(t, known, name, "two pages have rules for .%s", begins[1])
			}
			owner[begins[1]] = name
		}
	})
	require.Contains(t, owner, "flow-card")
}

// A file's path is its short name, and the policy lets no page load anything from elsewhere.
func TestAssetsHaveDifferentNames(t *testing.T) {
	seen := map[string]string{}
	elsewhere := regexp.MustCompile(`(?i)\burl\(["']?https?:|@import|\bimport\b[^;]*["']https?:`)
	eachAsset(t, "assets", func(name string, text []byte) {
		short := path.Base(name)
		require.Emptyf(t, seen[short], "%s and %s", seen[short], name)
		seen[short] = name
		require.NotRegexpf(t, elsewhere, string(text), "%s", name)
	})
}

func eachAsset(t *testing.T, root string, do func(name string, text []byte)) {
	t.Helper()
	require.NoError(t, fs.WalkDir(embedded, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := embedded.ReadFile(name)
		do(name, text)
		return err
	}))
}
