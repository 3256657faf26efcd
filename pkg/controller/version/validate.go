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
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/schema"
)

// verdict is what is wrong with the content of a version that the CRD's own rules
// cannot see; empty if nothing is. Only new content mends it.
type verdict struct {
	generation int64
	protos     string
	workflows  map[string]string // by name
}

func (d verdict) valid() bool { return d.protos == "" && len(d.workflows) == 0 }

// mark marks in v what is wrong.
func (d verdict) mark(v *v1alpha1.Version) {
	next := "; mend it in a version of another name, or in this one once it is stopped: " + observe.Command(v, "stop")
	if d.protos != "" {
		v.MarkEntrypointNotReady(v1alpha1.ReasonInvalid, d.protos+next)
	}
	for name, problem := range d.workflows {
		v.MarkWorkflowNotReady(name, v1alpha1.ReasonInvalid, problem+next)
	}
}

// checks remembers verdicts, for compiling protos is the dearest thing in a reconcile.
type checks struct {
	mu    sync.Mutex
	known map[types.UID]verdict
}

func newChecks() *checks { return &checks{known: map[types.UID]verdict{}} }

// of returns the verdict on a version as it now is. The error is that ctx is done.
func (c *checks) of(ctx context.Context, v *v1alpha1.Version) (verdict, error) {
	c.mu.Lock()
	known, ok := c.known[v.UID]
	c.mu.Unlock()
	if ok && known.generation == v.Generation {
		return known, nil
	}
	d := check(ctx, v.Spec)
	if err := ctx.Err(); err != nil {
		return verdict{}, fmt.Errorf("cannot check the protos: %w", err)
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
	maps.DeleteFunc(c.known, func(uid types.UID, _ verdict) bool { return !uids[uid] })
}

// check compiles the protos and looks for the rpc of each workflow.
func check(ctx context.Context, spec v1alpha1.VersionSpec) verdict {
	files := fstest.MapFS{}
	for _, f := range spec.Entrypoint.Files {
		files[f.Path] = &fstest.MapFile{Data: []byte(f.Content)}
	}
	compiled, err := schema.Compile(ctx, files, spec.Entrypoint.Proto, schema.Options{})
	var mistakes schema.Errors
	switch {
	case errors.As(err, &mistakes) && len(mistakes) > 1:
		return verdict{protos: fmt.Sprintf("%s (and %d more mistakes)", mistakes[0].Error(), len(mistakes)-1)}
	case err != nil:
		return verdict{protos: err.Error()}
	}
	d := verdict{workflows: map[string]string{}}
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
