package local

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/logview"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

// noLinks are those of a page without any.
type noLinks struct{}

func (noLinks) Request(string) string { return "" }
func (noLinks) Only(string) string    { return "" }

// reader follows lines without a version.
type reader struct{ lines *lines }

func (r reader) Logs(context.Context, source.Ref, source.LogQuery, source.LogHandler) error {
	return nil
}

func (r reader) FollowLogs(ctx context.Context, _ source.Ref, q source.LogQuery, to source.LogHandler) error {
	r.lines.follow(ctx, q, to)
	return nil
}

// BenchmarkFlood is what a line costs while pages of logs are open: it is parsed once for all.
func BenchmarkFlood(b *testing.B) {
	for _, tabs := range []int{0, 1, 20} {
		for name, text := range map[string]string{
			"plain":      "a line of usual length, as nodes log them when somebody prints what comes in, for each of them",
			"structured": `{"level":"INFO","msg":"a line of usual length","workflow":"w","correlationid":"c","rows":3}`,
		} {
			b.Run(fmt.Sprintf("%s/tabs=%d", name, tabs), func(b *testing.B) {
				l, draw := newLines(), logview.New()
				ctx, end := context.WithCancel(b.Context())
				var open sync.WaitGroup
				for range tabs {
					open.Go(func() {
						page := logview.Page{Links: noLinks{}, Send: func(logview.Event) error { return nil }}
						_ = draw.Follow(ctx, logview.Version{Source: reader{l}}, logview.Filter{}, source.LogQuery{Level: logline.Debug}, page)
					})
				}
				for b.Loop() {
					l.add(Line{Time: time.Now(), Node: "etl", Text: text})
				}
				b.StopTimer()
				end()
				open.Wait()
			})
		}
	}
}
