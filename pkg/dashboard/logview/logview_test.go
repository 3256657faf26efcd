package logview

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\nmore":                "plain\ttext\nmore",
		"\x1b[31mred\x1b[0m":               "red",
		"\x1b[38;2;1;2;3mred\x1b[m!":       "red!",
		"\x1b[2Jclear":                     `\x1b[2Jclear`,
		"\x1b[31":                          `\x1b[31`,
		"\x1b[31\x1b[32mx":                 `\x1b[31x`,
		"\x1b]0;title\a":                   `\x1b]0;title\a`,
		"a\x00b\xffc\u202edcba":            `a\x00b\ufffdc\u202edcba`,
		"<script>alert(1)</script>&amp;\r": `<script>alert(1)</script>&amp;\r`, // the template escapes it
	} {
		require.Equal(t, want, Clean(text))
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"\x1b[31mred\x1b[0m", "\x1b[\x1b[0;m\xff", "\u202e\x9b2J"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := Clean(text)
		require.True(t, utf8.ValidString(clean))
		require.NotContains(t, clean, "\x1b")
		require.Equal(t, clean, Clean(clean))
	})
}

func line(text string) *logline.Line {
	l := logline.Parse(text)
	l.Node = "etl"
	return &l
}

func TestLine(t *testing.T) {
	l := Of(line("2026-11-22T22:50:56.5Z plain"))
	require.Equal(t, []any{"plain", "", logline.Info, "etl", false}, []any{l.Brief, l.Whole, l.Level, l.Node, l.More()})

	l = Of(line(`{"level":"WARN","msg":"slow","workflow":"w","correlationid":"c","trace_id":"t","n":3,"s":"\u001b[1mx"}`))
	require.Equal(t, []any{"slow", "", logline.Warn, "w", "c", true}, []any{l.Brief, l.Whole, l.Level, l.Workflow, l.ID, l.More()})
	require.Equal(t, []logline.Attribute{{Name: "n", Value: "3"}, {Name: "s", Value: "x"}, {Name: "trace", Value: "t"}}, l.Fields)

	l = Of(line(`{"level":"ERROR","msg":"boom","stack":"at a\nat b\n"}`))
	require.Equal(t, []string{"boom …", "boom\nat a\nat b"}, []string{l.Brief, l.Whole})
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("é", 500_000)
	l := Of(line(long))
	require.Less(t, len(l.Brief), maxBrief+10)
	require.Len(t, l.Whole, maxMessage)
	require.Equal(t, len(long)-maxMessage, l.Cut)

	fields := `{"msg":"m"`
	for i := range 100 {
		fields += fmt.Sprintf(`,"f%03d":%q`, i, long[:4000])
	}
	l = Of(line(fields + "}"))
	require.Len(t, l.Fields, maxFields)
	require.Equal(t, 70, l.Left)
	require.Less(t, l.size(), maxFields*(maxValue+100))
}

// Whatever comes, and however fast: what waits is bounded, and what is missing is counted.
func TestFeedIsBounded(t *testing.T) {
	f := NewFeed()
	const all = 100_000
	for i := range all {
		f.Add(line(fmt.Sprint(i)))
	}
	f.Lose(5)
	<-f.Ready()
	b := f.Take()
	require.Len(t, b.Lines, MaxShown)
	require.Equal(t, all-MaxShown+5, b.Dropped)
	require.Equal(t, fmt.Sprint(all-1), b.Lines[MaxShown-1].Brief, "the newest are kept")

	require.Equal(t, Batch{}, f.Take())
	for i := range all {
		f.Add(line(fmt.Sprint(i)))
	}
	b = f.Take()
	require.Len(t, b.Lines, maxBatch)
	require.Equal(t, all-maxBatch, b.Dropped)

	long := line(strings.Repeat("x", 1<<20))
	for range 1000 {
		f.Add(long)
	}
	b = f.Take()
	size := 0
	for i := range b.Lines {
		size += b.Lines[i].size()
	}
	require.LessOrEqual(t, size, maxBytes)
	require.Equal(t, 1000, len(b.Lines)+b.Dropped)

	for range 1000 { // what is escaped is longer than it was
		f.Add(line(strings.Repeat("\x00", maxMessage)))
	}
	require.LessOrEqual(t, len(f.waiting), maxBytes/maxMessage)
	b = f.Take()
	require.LessOrEqual(t, len(b.Lines)*b.Lines[0].size(), maxBytes)
	require.Equal(t, 1000, len(b.Lines)+b.Dropped)
}

// Who writes lines decides how much memory their fields take.
func TestAWaitingLineHasNoFields(t *testing.T) {
	f := NewFeed()
	f.Add(line(`{"msg":"a","n":[{},{},{}]}`))
	require.Nil(t, f.waiting[0].from.Fields)
	b := f.Take()
	require.Equal(t, []any{"a", "etl", 1}, []any{b.Lines[0].Brief, b.Lines[0].Node, len(b.Lines[0].Fields)})
}

func TestFileName(t *testing.T) {
	require.Equal(t, "a-------x.y-logs.txt", Version{Ref: source.Ref{Name: "a\"\r\n;é/\\x.y"}}.FileName())
}

// BenchmarkFeed is what a line costs that nobody takes.
func BenchmarkFeed(b *testing.B) {
	f, l := NewFeed(), line(`{"level":"INFO","msg":"a line of usual length, as nodes log them","workflow":"w","correlationid":"c","n":3}`)
	for b.Loop() {
		f.Add(l)
	}
}

// Pods are read at the same time, so that lines arrive one pod after the other.
func TestFeedIsInTheOrderOfTime(t *testing.T) {
	f := NewFeed()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, after := range []time.Duration{2, 0, 1, 1} {
		f.Add(&logline.Line{Time: start.Add(after)})
	}
	var got []time.Duration
	for _, l := range f.Take().Lines {
		got = append(got, l.Time.Sub(start))
	}
	require.Equal(t, []time.Duration{0, 1, 1, 2}, got)
}
