package docs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/reference"
)

func TestReferenceIsCurrent(t *testing.T) {
	for _, p := range reference.Pages() {
		t.Run(p.Name, func(t *testing.T) {
			want, err := p.Make(root)
			if errors.Is(err, reference.ErrNoPython) {
				t.Skip(err)
			}
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(root, reference.Folder, p.Name))
			require.NoError(t, err)
			require.Truef(t, want == string(got), "stale: %s", reference.Command)
		})
	}
}
