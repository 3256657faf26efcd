package pyrunner

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const (
	// workersPerProcessor is as many workers as one processor keeps busy with
	// handlers of a quarter of a millisecond: the front takes some 60 µs a request.
	workersPerProcessor = 4
	// maxWorkers bounds KRT_WORKERS: each is a process.
	maxWorkers = 256
	// defaultQueue is how many requests wait for a worker, and maxQueue bounds
	// KRT_QUEUE; queueBytes is what they and those at work may hold, unless two
	// messages of the largest size are more.
	defaultQueue           = 1000
	maxQueue               = 100_000
	queueBytes             = 64 << 20
	defaultMaxMessageBytes = 4 << 20
)

// config is what the front reads from its environment for the Python side; the
// rest package runner reads.
type config struct {
	node, version, workflow string
	base                    string // the bundle's root, absolute
	handler                 string // the node's Python file, absolute
	store                   string
	workers, queue          int
	fork, gpu               bool
	dicts                   bool // the handler takes and returns dicts
	maxMessageBytes         int
	level                   slog.Level
	wholeText               bool // a text of several lines is one log record
}

func readConfig(env func(string) string) (config, error) {
	c := config{
		node:            cmp.Or(env("KRT_NODE_NAME"), "node"),
		version:         cmp.Or(env("KRT_VERSION"), env("KRT_VERSION_ID")),
		workflow:        env("KRT_WORKFLOW_NAME"),
		store:           env("KRT_STORE"),
		workers:         1,
		queue:           defaultQueue,
		maxMessageBytes: defaultMaxMessageBytes,
		wholeText:       strings.EqualFold(env("KRT_LOG"), "json") || strings.EqualFold(env("KRT_LOG"), "plain"),
	}
	var errs []error
	var err error
	if c.base, err = filepath.Abs(cmp.Or(env("KRT_BASE_PATH"), env("KO_DATA_PATH"), ".")); err != nil {
		errs = append(errs, fmt.Errorf("KRT_BASE_PATH: %w", err))
	}
	switch c.handler = env("KRT_HANDLER_PATH"); {
	case c.handler == "":
		errs = append(errs, errors.New("KRT_HANDLER_PATH is not set: name the node's Python file"))
	case !filepath.IsAbs(c.handler):
		c.handler = filepath.Join(c.base, c.handler)
	}
	for _, s := range []struct {
		name string
		to   *bool
	}{{"KRT_FORK", &c.fork}, {"KRT_GPU", &c.gpu}} {
		switch said := env(s.name); said {
		case "true":
			*s.to = true
		case "", "false", "never":
		default:
			errs = append(errs, fmt.Errorf("%s: %q is neither true nor false", s.name, said))
		}
	}
	errs = append(errs, c.readNumbers(env)...)
	if level := env("KRT_LOG_LEVEL"); level != "" {
		if err := c.level.UnmarshalText([]byte(level)); err != nil {
			errs = append(errs, fmt.Errorf("KRT_LOG_LEVEL: %q is not one of debug, info, warn, error", level))
		}
	}
	return c, errors.Join(errs...)
}

// readNumbers reads the settings that are numbers.
func (c *config) readNumbers(env func(string) string) (errs []error) {
	for _, n := range []struct {
		name string
		to   *int
		most int
	}{{"KRT_WORKERS", &c.workers, maxWorkers}, {"KRT_QUEUE", &c.queue, maxQueue}, {"KRT_MAX_MESSAGE_BYTES", &c.maxMessageBytes, 1 << 30}} {
		if raw := env(n.name); raw != "" {
			var err error
			if *n.to, err = strconv.Atoi(raw); err != nil || *n.to < 1 || *n.to > n.most {
				errs = append(errs, fmt.Errorf("%s: %q is not a whole number from 1 to %d", n.name, raw, n.most))
			}
		}
	}
	return errs
}

// processors is how many processors the front's Go code gets: it only hands
// requests over. One more makes the runtime wake a second thread for each event on
// a socket, which costs as much as the request itself.
func (c config) processors() int {
	return min(runtime.GOMAXPROCS(0), (c.workers+workersPerProcessor-1)/workersPerProcessor)
}

// settings returns what a Python process is told, as JSON: see shim/_krt_runner.
func (c config) settings(scratch, modules string) (string, error) {
	text, err := json.Marshal(map[string]any{
		"node": c.node, "version": c.version, "workflow": c.workflow,
		"base": c.base, "handler": c.handler, "store": c.store,
		"limit": c.maxMessageBytes, "dicts": c.dicts,
		// Python's levels are 10, 20, 30, 40 where slog's are -4, 0, 4, 8.
		"level":   20 + 10*(int(c.level)/4),
		"scratch": scratch, "pb2": modules,
	})
	return string(text), err
}
