package pyrunner

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"

	"krt.dev/kn-krt/pkg/runner/environment"
)

const (
	// workersPerProcessor is how many workers one processor keeps busy with handlers of
	// a quarter of a millisecond: the front needs about 60 µs per request.
	workersPerProcessor = 4
	// queueBytes is the most that waiting and running requests may hold together, unless
	// two messages of the largest size are more.
	queueBytes = 64 << 20
)

// config is what the front reads from its environment for the Python side; package
// runner reads the rest.
type config struct {
	node, version, workflow string
	base                    string // the bundle's root, absolute
	handler                 string // the node's Python file, absolute
	store, storeCredentials string
	workers, queue          int
	fork, gpu               bool
	dicts                   bool // the handler takes and returns dicts
	maxMessageBytes         int
	level                   slog.Level
	wholeText               bool // text of several lines is one log record
}

func readConfig(env func(string) string) (config, error) {
	format := env(environment.Log)
	c := config{
		node:             cmp.Or(env(environment.NodeName), "node"),
		version:          cmp.Or(env(environment.Version), env(environment.VersionID)),
		workflow:         env(environment.WorkflowName),
		store:            env(environment.Store),
		storeCredentials: env(environment.StoreCredentials),
		wholeText:        strings.EqualFold(format, "json") || strings.EqualFold(format, "plain"),
	}
	var errs [7]error
	if c.base, errs[0] = environment.Base(env); errs[0] != nil {
		errs[0] = fmt.Errorf("%s: %w", environment.BasePath, errs[0])
	}
	switch c.handler = env(environment.HandlerPath); {
	case c.handler == "":
		errs[1] = fmt.Errorf("%s is not set: name the node's Python file", environment.HandlerPath)
	case !filepath.IsAbs(c.handler):
		c.handler = filepath.Join(c.base, c.handler)
	}
	c.fork, errs[2] = environment.Bool(env, environment.Fork)
	c.gpu, errs[3] = environment.Bool(env, environment.GPU)
	c.workers, errs[4] = environment.Int(env, environment.Workers, 1, 1, environment.MostWorkers)
	c.queue, errs[5] = environment.Int(env, environment.Queue, environment.DefaultQueue, 1, environment.MostQueue)
	c.maxMessageBytes, errs[6] = environment.Int(env, environment.MaxMessageBytes,
		environment.DefaultMaxMessageBytes, 1, environment.MostMessageBytes)
	var err error
	c.level, err = environment.Level(env)
	return c, errors.Join(append(errs[:], err)...)
}

// processors returns how many processors the front's Go code uses: it only hands
// requests over. With one more the runtime wakes a second thread for each event on a
// socket, which costs as much as the request itself.
func (c config) processors() int {
	return min(runtime.GOMAXPROCS(0), (c.workers+workersPerProcessor-1)/workersPerProcessor)
}

// settings returns the settings of a Python process, as JSON: see shim/_krt_runner.
func (c config) settings(scratch, modules string) (string, error) {
	text, err := json.Marshal(map[string]any{
		"node": c.node, "version": c.version, "workflow": c.workflow,
		"base": c.base, "handler": c.handler, "store": c.store, "store_credentials": c.storeCredentials,
		"limit": c.maxMessageBytes, "dicts": c.dicts,
		// Python's levels are 10, 20, 30, 40 where slog's are -4, 0, 4, 8.
		"level":   20 + 10*(int(c.level)/4),
		"scratch": scratch, "pb2": modules,
	})
	return string(text), err
}
