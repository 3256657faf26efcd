package loglimit_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"krt.dev/kn-krt/pkg/runner/loglimit"
)

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(loglimit.New(slog.NewTextHandler(&out, nil))).With("node", "model")
		for i := range 1000 {
			log.With("request", i).Error("handler failed")
			log.Info("a user's line")
		}
		log.Warn("something else")
		for message, want := range map[string]int{`msg="handler failed" node=model`: 10, "a user's line": 1000, "something else": 1} {
			if got := strings.Count(out.String(), message); got != want {
				t.Errorf("%q: %d lines, want %d", message, got, want)
			}
		}
		time.Sleep(2 * time.Second) // of the test's own clock
		synctest.Wait()
		if want := `level=ERROR msg="lines were suppressed: too many with the same message" message="handler failed" suppressed=990`; strings.Count(out.String(), want) != 1 {
			t.Errorf("the count is missing: %s", out.String()[out.Len()-300:])
		}
		out.Reset()
		log.Error("handler failed")
		if !strings.Contains(out.String(), "handler failed") {
			t.Error("a later line is missing")
		}
	})
}

// TestManyMessages: what is told apart is bounded too.
func TestManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(loglimit.New(slog.NewTextHandler(&out, nil)))
		for i := range 10_000 {
			log.Warn(fmt.Sprint("message ", i))
		}
		if got := strings.Count(out.String(), "\n"); got != 256+10 {
			t.Errorf("%d lines", got)
		}
		time.Sleep(2 * time.Second) // of the test's own clock
	})
}
