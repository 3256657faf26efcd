package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = "# A page: `krt.yml`, *and* more!\n\n```sh run\necho 1\n```\n\n" +
	"- in a list\n\n  ```text\n  kept  \n  ```\n\n" +
	"## Again\n\n[a](other.md#there) ![b](images/b.png) <https://example.com>\n\n" +
	"## Again\n\n    indented\n\n<a id=\"own\"></a>\n\n```\n\n```\n"

func TestParse(t *testing.T) {
	p := Parse("docs/a.md", []byte(sample))
	require.Equal(t, []string{"a-page-krtyml-and-more", "again", "again-1", "own"}, p.Anchors)
	require.Equal(t, []Block{
		{Page: "docs/a.md", Line: 3, Language: "sh", Info: "sh run", Text: "echo 1\n"},
		{Page: "docs/a.md", Line: 9, Language: "text", Info: "text", Text: "kept  \n"},
		{Page: "docs/a.md", Line: 19, Text: "indented\n", Indented: true},
		{Page: "docs/a.md", Line: 23, Text: "\n"},
	}, p.Blocks)
	require.Equal(t, []Link{
		{"docs/a.md", 15, "other.md#there", false}, {"docs/a.md", 15, "images/b.png", true}, {"docs/a.md", 15, "https://example.com", false},
	}, p.Links)
	name, fragment, err := p.Links[0].Target()
	require.NoError(t, err)
	require.Equal(t, "docs/other.md#there", name+"#"+fragment)
	require.True(t, p.Links[2].External())
}

func TestMarker(t *testing.T) {
	for info, want := range map[string]Marker{
		"sh run":                           {How: Run},
		"sh run long":                      {How: Run, Long: true},
		"sh background":                    {How: Background},
		`sh background until="is up"`:      {How: Background, Value: "is up"},
		"sh run with=grpc":                 {How: Run, With: "grpc"},
		"python file=src/main.py":          {How: File, File: "src/main.py"},
		"yaml krt file=a/krt.yml":          {How: Manifest, File: "a/krt.yml"},
		`promql checked="test/monitoring"`: {How: Checked, Value: "test/monitoring"},
		`sh skip="needs root"`:             {How: Skip, Value: "needs root"},
		"yaml krt":                         {How: Manifest},
		"json output":                      {How: Output},
	} {
		m, err := Parse("a.md", []byte("```"+info+"\n```\n")).Blocks[0].Marker()
		require.NoError(t, err, info)
		require.Equal(t, want, m, info)
	}
	for info, want := range map[string]string{
		"":               "the block has no language",
		"sh":             "the block in sh has no marker",
		"python run":     "the marker run is for sh, not for python",
		"sh run cluster": "two markers",
		"sh walk":        `no marker "walk"`,
		"sh skip":        "needs a value",
		"sh run=x":       "has no value",
		`sh skip="open`:  "needs a value",
		`sh ="x"`:        "cannot read the marker",
	} {
		_, err := Parse("a.md", []byte("```"+info+"\nx\n```\n")).Blocks[0].Marker()
		require.ErrorContains(t, err, want, info)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(_ *testing.T, source []byte) {
		p := Parse("docs/a.md", source)
		for _, b := range p.Blocks {
			_, _ = b.Marker()
		}
		for _, l := range p.Links {
			_, _, _ = l.Target()
		}
	})
}
