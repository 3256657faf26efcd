package version

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/schema"
)

// problems are what is wrong with the content of a version and cannot be checked by the
// CRD's own rules; empty if nothing is. Only new content fixes them.
type problems struct {
	generation int64
	protos     string
	workflows  map[string]string // by name
}

func (d problems) none() bool { return d.protos == "" && len(d.workflows) == 0 }

// checks caches problems, because compiling protos is the most expensive step of a reconcile.
type checks struct {
	mu    sync.Mutex
	known map[types.UID]problems
}

func newChecks() *checks { return &checks{known: map[types.UID]problems{}} }

// of returns the problems of a version as it is now specified. The error is that ctx is done.
func (c *checks) of(ctx context.Context, v *v1alpha1.Version) (problems, error) {
	c.mu.Lock()
	known, ok := c.known[v.UID]
	c.mu.Unlock()
	if ok && known.generation == v.Generation {
		return known, nil
	}
	d := check(ctx, v.Spec)
	if err := ctx.Err(); err != nil {
		return problems{}, fmt.Errorf("cannot check the protos: %w", err)
	}
	d.generation = v.Generation
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[v.UID] = d
	return d, nil
}

// keep forgets all but the given versions.
func (c *checks) keep(uids map[types.UID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.known, func(uid types.UID, _ problems) bool { return !uids[uid] })
}

// check compiles the protos and looks for the rpc of each workflow.
func check(ctx context.Context, spec v1alpha1.VersionSpec) problems {
	files := fstest.MapFS{}
	for _, f := range spec.Entrypoint.Files {
		files[f.Path] = &fstest.MapFile{Data: []byte(f.Content)}
	}
	compiled, err := schema.Compile(ctx, files, spec.Entrypoint.Proto, schema.Options{})
	var mistakes schema.Errors
	switch {
	case errors.As(err, &mistakes) && len(mistakes) > 1:
		return problems{protos: fmt.Sprintf("%s (and %d more mistakes)", mistakes[0].Error(), len(mistakes)-1)}
	case err != nil:
		return problems{protos: err.Error()}
	}
	d := problems{workflows: map[string]string{}}
	taken := map[string]string{}
	for _, w := range spec.Workflows {
		method, err := compiled.Method(w.Entrypoint)
		if err != nil {
			d.workflows[w.Name] = err.Error()
			continue
		}
		rpc := string(method.FullName())
		if other, ok := taken[rpc]; ok {
			d.workflows[w.Name] = fmt.Sprintf("rpc %q is workflow %q's already", rpc, other)
			continue
		}
		taken[rpc] = w.Name
	}
	return d
}
