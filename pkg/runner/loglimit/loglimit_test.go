package loglimit_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"krt.dev/kn-krt/pkg/runner/loglimit"
)

// buffer takes lines from timers too.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log := slog.New(loglimit.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With("node", "model")
		for i := range 1000 {
			log.With("request", i).Error("handler failed")
			log.Info("call cancelled")
			log.Debug("detail")
		}
		log.Warn("something else")
		for message, want := range map[string]int{
			`msg="handler failed" node=model`: 10, `msg="call cancelled"`: 10, "detail": 1000, "something else": 1,
		} {
			if got := strings.Count(out.String(), message); got != want {
				t.Errorf("%q: %d lines, want %d", message, got, want)
			}
		}
		<-time.After(2 * time.Second) // of the test's own clock
		synctest.Wait()
		want := `level=ERROR msg="lines were suppressed: too many with the same message" message="handler failed" suppressed=990`
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("the count is missing: %s", out.String()[len(out.String())-300:])
		}
		before := out.String()
		log.Error("handler failed")
		if !strings.Contains(strings.TrimPrefix(out.String(), before), "handler failed") {
			t.Error("a later line is missing")
		}
	})
}

// TestManyMessages: what is told apart is bounded too.
func TestManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log := slog.New(loglimit.New(slog.NewTextHandler(&out, nil)))
		for i := range 10_000 {
			log.Warn(fmt.Sprint("message ", i))
		}
		if got := strings.Count(out.String(), "\n"); got != 256+10 {
			t.Errorf("%d lines", got)
		}
		<-time.After(2 * time.Second) // of the test's own clock
	})
}
