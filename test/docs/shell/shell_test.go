package shell

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/page"
)

func TestMatches(t *testing.T) {
	const text = "first line\n  second  3.1 ms \nthird\nfourth\n"
	for pattern, want := range map[string]bool{
		"first line":                   true,
		"first":                        false,
		"first …\n":                    true,
		"  second  … ms\nthird":        true,
		"first line\nthird":            false,
		"first line\n…\nfourth":        true,
		"third\n…\nfirst line":         false,
		"f…\n…\nfourth\n":              true,
		"second (":                     false,
		"first line\n…\nthird\nfourth": true,
	} {
		require.Equal(t, want, Matches(text, pattern), pattern)
	}
}

// run executes a page with that text.
func run(t *testing.T, text string) (int, error) {
	t.Helper()
	m := Machine{Environment: []string{"PATH=" + os.Getenv("PATH")}, Within: time.Minute}
	text = strings.ReplaceAll(text, "'''", "```")
	return m.Run(t.Context(), page.Parse("docs/a.md", []byte(text)), page.Run, t.TempDir())
}

func TestPage(t *testing.T) {
	count, err := run(t, `# A page
'''text file=sub/it's.txt
$HOME is kept
'''
'''sh background until="begun"
echo begun; sleep 300
'''
'''sh run
cd sub; word=kept; ls
'''
'''text output
it's.txt
'''
'''sh skip="not for a test"
exit 9
'''
'''sh run
grep -c $word *; echo over
'''
'''text output
1
…
'''
`)
	require.NoError(t, err)
	require.Equal(t, 6, count)
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a command": {
			"'''sh run\necho a\n'''\n\n'''sh run\necho b\nls nowhere\necho c\n'''\n",
			[]string{"docs/a.md:5: exit code 2", "echo c\nprinted:\nb\n", "'nowhere'"},
		},
		"the last of &&": {"'''sh run\nfalse && true\n'''\n", []string{"docs/a.md:1: exit code 1"}},
		"exit 0":         {"'''sh run\nexit\n'''\n", []string{"docs/a.md:1: the shell ended before the page"}},
		"an output": {
			"'''sh run\necho a\n'''\n'''text output\nb\n'''\n",
			[]string{"docs/a.md:4: this is not in the output of docs/a.md:1:\nb\n\nwhich is:\na\n"},
		},
		"background": {
			"'''sh background until=\"up\"\necho down\n'''\n",
			[]string{"docs/a.md:1: exit code 1", "down\nup: not printed"},
		},
		"no marker": {"'''sh\n'''\n", []string{"docs/a.md:1: the block in sh has no marker"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, c.text)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
