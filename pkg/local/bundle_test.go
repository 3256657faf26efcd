package local

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// heard keeps the texts of warnings.
type heard struct{ texts []string }

func (h *heard) Event(e Event)              { h.texts = append(h.texts, e.Text) }
func (h *heard) Line(_, _ string, _ string) {}

func TestWarningsOfImagesAreOneLine(t *testing.T) {
	h := &heard{}
	_, err := checked(&krt.Bundle{Manifest: &krt.Manifest{}}, krt.Problems{
		{File: "requirements.txt", Line: 1, Warning: true, Image: true, Text: "no image can be made: a"},
		{File: "krt.yml", Line: 1, Column: 1, Warning: true, Text: "odd"},
		{File: "requirements.txt", Line: 2, Warning: true, Image: true, Text: "no image can be made: b"},
	}, nil, h)
	require.NoError(t, err)
	require.Equal(t,
		[]string{"krt.yml:1:1: odd", "no image can be built yet (2 warnings about requirements), and a local run needs none"}, h.texts)
}
