package local

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

func TestLinesOfAllComponentsInOrder(t *testing.T) {
	l := newLines()
	for i := range 6 {
		l.add(Line{Node: []string{"etl", "model"}[i%2], Text: fmt.Sprint(i)})
	}
	texts := func(after int64) (found []string) {
		for _, line := range l.after(after) {
			found = append(found, line.Text)
		}
		return found
	}
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, texts(0))
	require.Equal(t, []string{"4", "5"}, texts(4))
	require.Empty(t, texts(6))
	require.Equal(t, "4", l.last("etl"))
	l.add(Line{Node: "etl"})
	require.Equal(t, "4", l.last("etl"), "an empty line says nothing")
	require.Empty(t, l.last("output"))
}

func TestLinesAreBounded(t *testing.T) {
	l := newLines()
	l.add(Line{Node: "quiet", Text: "first"})
	for range 3 * keptLines {
		l.add(Line{Node: "loud", Text: "x"})
	}
	require.Len(t, l.tails["loud"].lines, keptLines)
	require.Equal(t, "first", l.last("quiet"), "a loud node does not take the place of another")
	require.Len(t, l.after(0), keptLines+1)

	for range 100 {
		l.add(Line{Node: "wide", Text: strings.Repeat("x", 64<<10)})
	}
	require.LessOrEqual(t, l.tails["wide"].bytes, keptBytes)
	require.Len(t, l.tails["wide"].lines, keptBytes/(64<<10))
}

// However many pages are open, a line is parsed once.
func TestALineIsParsedOnce(t *testing.T) {
	l := newLines()
	l.add(Line{Node: "etl", Text: `{"msg":"one"}`})
	l.add(Line{Node: "model", Text: "two"})
	var pages [2][]*logline.Line
	for i := range pages {
		to := source.LogHandler{Line: func(one *logline.Line) { pages[i] = append(pages[i], one) }}
		require.Equal(t, int64(2), l.pass(0, source.LogQuery{}, to))
	}
	require.Equal(t, "one", pages[0][0].Message())
	require.Equal(t, "model", pages[0][1].Node)
	for i := range pages[0] {
		require.Same(t, pages[0][i], pages[1][i])
	}
}

func TestNobodyWaitsForASubscriber(t *testing.T) {
	l := newLines()
	news, end := l.news.subscribe()
	for range 1000 {
		l.add(Line{Node: "etl", Text: "x"})
	}
	<-news
	require.Empty(t, news, "many lines are one notification")
	end()
	l.add(Line{Node: "etl", Text: "x"})
	require.Empty(t, news)
}
