package usercode_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

func TestUnpinned(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"src/n/main.go": `package main
			import (
				"fmt"; "C"; "./here"; "../above"; "node/lib"; "node/../../other"; "node/gone"; "node"
				pb "google.golang.org/protobuf/proto"; _ "github.com/konstellation-io/kre-runners/kre-go"
				"example.com/b/c"; "krt.dev/kn-krt/pkg/runner/store"
			)`,
		"src/n/more.go":          `package main; import ("example.com/b/c"; "krt.dev/kn-krt/pkg/runners")`,
		"src/n/lib/lib.go":       `package lib; import ("example.com/a"; "node/lib"; "node")`,
		"src/n/broken.go":        `package main; import "example.com/`,
		"src/n/main_test.go":     `package main; import "example.com/test"`,
		"src/n/unused/unused.go": `package unused; import "example.com/unused"`,
		"src/n/_old.go":          `package main; import "example.com/old"`,
		"src/n/.hidden.go":       `package main; import "example.com/hidden"`,
		"src/n/generate.go":      "// Made by hand.\n\n//go:build ignore\n\npackage main; import \"example.com/generate\"",
		"src/n/elsewhere.go":     "//go:build !linux\n\npackage main; import \"example.com/elsewhere\"",
		"src/n/comment.go":       "package main\n\nimport \"example.com/comment\"\n\n//go:build ignore\n",
		"src/n/folder.go/x":      ``,
		"other/other.go":         `package other; import "example.com/other"`,
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	require.Equal(t, []string{
		"example.com/a", "example.com/b/c", "example.com/comment", "example.com/elsewhere", "krt.dev/kn-krt/pkg/runners",
	}, usercode.Unpinned(files, "src/n"))
	require.Empty(t, usercode.Unpinned(files, "nowhere"))
}

func FuzzUnpinned(f *testing.F) {
	f.Add("package main; import (\"node/a\"; \"example.com/b\"; \"node/../c\")")
	f.Fuzz(func(t *testing.T, text string) {
		files := fstest.MapFS{"a/main.go": {Data: []byte(text)}, "a/a/a.go": {Data: []byte(text)}}
		found := usercode.Unpinned(files, "a")
		require.True(t, slices.IsSorted(found) && len(slices.Compact(slices.Clone(found))) == len(found) && len(found) <= 100)
	})
}
