package runner

import (
	"bytes"
	"log/slog"
	"testing"
)

func TestPlainLogIsForPeople(t *testing.T) {
	var out bytes.Buffer
	log, err := newSlog(&out, func(name string) string { return map[string]string{"KRT_LOG": "plain"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	log = log.With("node", "etl")
	log.Debug("hidden")
	log.Info("loaded", "rooms", 200, slog.String("workflow", "w"), slog.String("correlationid", "c"),
		slog.String("trace_id", "t"), slog.String("span_id", "s"))
	log.Error("Traceback:\n  line 1")
	log.Error("failed", "error", "cannot save the room", "type", "ValueError")
	log.Warn("odd", "stack", "main.go:3\nmain.go:4")
	want := "loaded rooms=200\nERROR Traceback:\n  line 1\n" +
		"ERROR failed error=\"cannot save the room\" type=ValueError\nWARN " +
		"odd\nmain.go:3\nmain.go:4\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
