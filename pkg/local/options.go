package local

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// Options define how a version runs on this machine. The zero value of each field
// means its default, unless documented otherwise.
type Options struct {
	// Config has the values of config variables and files.
	Config configvalue.Source
	// Ports are the entrypoint's. The zero value means any that are free.
	Ports Ports
	// Reporter receives what happens; required.
	Reporter Reporter
	// Alone says that the process does nothing but this run, and may be given as many processors
	// as that needs: Run limits them, unless GOMAXPROCS is set.
	Alone bool
	// StateDir is the folder for what the run keeps, see [DefaultStateDir], which
	// is the default.
	StateDir string
	// NoReload leaves changes of the bundle's files unnoticed. A packed bundle is
	// never watched.
	NoReload bool
	// Output are the files that the Reporter prints to: to print into the bundle's folder is no change of it.
	Output []*os.File
	// StartTimeout bounds how long a node may take to become ready. Default 5
	// minutes: models are large.
	StartTimeout time.Duration
	// RequestTimeout bounds a request without a shorter deadline of its own.
	// Default: the entrypoint's, 30 s.
	RequestTimeout time.Duration
	// MaxMessageBytes bounds a message. Default: the entrypoint's, 4 MiB.
	MaxMessageBytes int
	// WebOrigins may call the web port from browsers; see entrypoint.Options.
	WebOrigins []string
	// Dashboard serves the paths below [web.ReservedPath] of the web port, from before
	// the nodes are started until the run has ended. It guards itself: the address of the port may
	// be one that other machines reach. Nil: there is none.
	Dashboard http.Handler
	// LogLevel is that of the entrypoint's own log lines. Default: slog.LevelInfo.
	LogLevel slog.Level
	// Requests makes each request be reported, by [EventRequest].
	Requests bool
	// Measurements is which measurements are saved automatically. Default: measure.Aggregated.
	Measurements measure.Mode
	// Kill, once closed, makes the run stop at once: nodes are killed, requests in
	// flight lost. Nil means never.
	Kill <-chan struct{}

	// restart is another policy than the default, for tests.
	restart *restart
}
