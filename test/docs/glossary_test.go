package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// glossary is the page that explains words.
const glossary = "docs/explanation/glossary.md"

// explained are the words of Knative that the glossary has, as they are found in a text.
func explained(t *testing.T) *regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, glossary))
	require.NoError(t, err)
	_, text2, found := strings.Cut(string(text), "\n## Of Knative\n")
	require.True(t, found)
	var words []string
	for line := range strings.Lines(text2) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], " ---") || cells[1] == " word " {
			continue
		}
		for word := range strings.SplitSeq(cells[1], ",") {
			if word = strings.TrimSpace(word); !common[word] {
				words = append(words, regexp.QuoteMeta(word))
			}
		}
	}
	require.NotEmpty(t, words)
	return regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)s?\b`)
}

// near is how far behind a word the link may be, in bytes: a heading has none.
const near = 150

// common are words of the glossary that pages use with their usual meaning, too.
var common = map[string]bool{
	"event": true, "source": true, "sink": true, "ingress": true, "CloudEvent": true,
	"channel": true, "broker": true,
}

// TestWordsOfKnativeAreExplained: a page for people who may not know Knative links to the glossary from the
// first line that has a word of it.
func TestWordsOfKnativeAreExplained(t *testing.T) {
	word := explained(t)
	code := regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	for _, p := range pages(t) {
		kind := filepath.Dir(p.Name)
		if p.Name == glossary || kind != "docs/how-to" && kind != "docs/tutorial" && kind != "docs/explanation" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, p.Name))
		require.NoError(t, err)
		prose := code.ReplaceAllString(string(text), "")
		at, link := word.FindStringIndex(prose), strings.Index(prose, "glossary.md")
		if at == nil {
			continue
		}
		line, _, _ := strings.Cut(prose[at[0]:], "\n")
		if link < 0 || link > at[1]+near {
			t.Errorf("%s uses %q without a link to %s: %s", p.Name, prose[at[0]:at[1]], glossary, line)
		}
	}
}
