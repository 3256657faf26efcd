package gobuild

import (
	"fmt"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"

	"krt.dev/kn-krt/pkg/krt/usercode"
	"krt.dev/kn-krt/pkg/runner"
)

// Where it is carried is a cache, which lets go what was not used for long.
func TestAnSDKThatIsCarriedIsUsed(t *testing.T) {
	folder := t.TempDir()
	sdks, err := Carry(folder)
	require.NoError(t, err)
	long := time.Now().Add(-1000 * time.Hour)
	for _, s := range sdks {
		require.NoError(t, os.Chtimes(s.folder, long, long))
	}
	_, err = Carry(folder)
	require.NoError(t, err)
	for _, s := range sdks {
		info, err := os.Stat(s.folder)
		require.NoError(t, err)
		require.Greater(t, info.ModTime(), long.Add(time.Hour))
	}
}

// What the SDK requires, whose versions it says, is known where a bundle is checked.
func TestTheVersionsOfTheSDKAreKnown(t *testing.T) {
	text, err := runner.Source.ReadFile("go.mod")
	require.NoError(t, err)
	file, err := modfile.Parse("go.mod", text, nil)
	require.NoError(t, err)
	code := "package main\n"
	for _, r := range file.Require {
		code += fmt.Sprintf("import _ %q\n", r.Mod.Path+"/x")
	}
	code += "import _ \"example.com/x\"\n"
	require.Equal(t, []string{"example.com/x"}, usercode.Unpinned(fstest.MapFS{"main.go": {Data: []byte(code)}}, "."))
}
