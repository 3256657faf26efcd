package environment

import (
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"
)

// Bounds and defaults of what is read from the environment.
const (
	DefaultPort = 8080
	// DefaultMaxMessageBytes is the largest message unless the version's settings have
	// another, MostMessageBytes what they may have.
	DefaultMaxMessageBytes = 4 << 20
	MostMessageBytes       = 1 << 30
	// DefaultBackgroundTimeout is how long work may take after a response.
	DefaultBackgroundTimeout = time.Hour
	// DefaultStreamTimeout is how long a stream of responses may last, DefaultStreamIdle how long a
	// node may take for its next message, DefaultStreamMessages how many there may be.
	DefaultStreamTimeout  = 5 * time.Minute
	DefaultStreamIdle     = time.Minute
	DefaultStreamMessages = 100_000
	// MostWorkers bounds the workers of a node: those of Python are processes.
	MostWorkers = 256
	// DefaultQueue is how many calls wait for a worker, MostQueue how many may.
	DefaultQueue = 1000
	MostQueue    = 100_000
)

// Base returns the absolute path of the bundle's root: KRT_BASE_PATH, else where ko
// puts a bundle's files in the images it builds, else the working directory.
func Base(getenv func(string) string) (string, error) {
	return filepath.Abs(cmp.Or(getenv(BasePath), getenv(KoDataPath), "."))
}

// Int returns the whole number that the variable has, unset if it is not set, or
// an error that names it.
func Int(getenv func(string) string, name string, unset, least, most int) (int, error) {
	raw := getenv(name)
	if raw == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < least || n > most {
		return unset, fmt.Errorf("%s: %q is not a whole number from %d to %d", name, raw, least, most)
	}
	return n, nil
}

// Duration returns the duration that the variable has, unset if it is not set, or
// an error that names it.
func Duration(getenv func(string) string, name string, unset time.Duration) (time.Duration, error) {
	raw := getenv(name)
	if raw == "" {
		return unset, nil
	}
	d, err := time.ParseDuration(raw)
	if err != nil || d <= 0 {
		return unset, fmt.Errorf("%s: %q is not a positive duration such as \"30s\"", name, raw)
	}
	return d, nil
}

// Bool returns whether the variable is true, false if it is not set, or an error
// that names it.
func Bool(getenv func(string) string, name string) (bool, error) {
	switch raw := getenv(name); raw {
	case "true":
		return true, nil
	case "", "false", "never": // the last is of earlier releases
		return false, nil
	default:
		return false, fmt.Errorf("%s: %q is neither true nor false", name, raw)
	}
}

// Level returns the level of KRT_LOG_LEVEL, info if it is not set.
func Level(getenv func(string) string) (level slog.Level, err error) {
	raw := getenv(LogLevel)
	if raw == "" {
		return level, nil
	}
	if err := level.UnmarshalText([]byte(raw)); err != nil {
		return 0, fmt.Errorf("%s: %q is not one of debug, info, warn, error", LogLevel, raw)
	}
	return level, nil
}
