package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The cluster's first process is asked by files to start a component again: they
// can be written from inside the cluster as well as from outside.
const (
	restartFile    = "restart"    // names the component; taken away by who takes the order
	restartingFile = "restarting" // is there until the component is ready again
)

// restart has one component killed and started again, and waits until it is ready.
func restart(ctx context.Context, p place, names []string) error {
	all := components(p)
	if len(names) != 1 || !slices.ContainsFunc(all, func(c component) bool { return c.name == names[0] }) {
		var known []string
		for _, c := range all {
			known = append(known, c.name)
		}
		return fmt.Errorf("cannot restart %q: name one of %s", names, strings.Join(known, ", "))
	}
	order := filepath.Join(p.State, restartFile)
	if err := os.WriteFile(order, []byte(names[0]), 0o600); err != nil {
		return fmt.Errorf("cannot restart %s: is the cluster up? %w", names[0], err)
	}
	if err := poll(ctx, 10*time.Second, gone(order)); err != nil {
		return errors.Join(errors.New("cannot restart a component: an older program started this cluster; stop and start it: cluster "+
			"down, cluster up"),
			os.Remove(order))
	}
	if err := poll(ctx, 2*time.Minute, gone(filepath.Join(p.State, restartingFile))); err != nil {
		return fmt.Errorf("cannot restart %s: it is not ready: %w\n%s", names[0], err, logTail(p, names[0]))
	}
	return nil
}

func gone(path string) func(context.Context) error {
	return func(context.Context) error {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is still there: %w", path, err)
		}
		return nil
	}
}
