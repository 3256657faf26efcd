package version

import (
	"context"
	"errors"
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/contract"
	"krt.dev/kn-krt/pkg/schema"
)

// problems are what is wrong with the content of a version and cannot be checked by the
// CRD's own rules; empty if nothing is. Only new content fixes them.
type problems struct {
	generation int64
	protos     string
	workflows  map[string]string // by name
	// streams are the workflows whose rpc returns a stream; no problem, but found by the same.
	streams map[string]bool
}

func (d problems) none() bool { return d.protos == "" && len(d.workflows) == 0 }

// check returns the problems of a version as it is now specified. They are cached,
// because compiling protos is the most expensive step of a reconcile. The error is that
// ctx is done.
func (r *reconciler) check(ctx context.Context, v *v1alpha1.Version) (problems, error) {
	known, cached := r.problems.get(v)
	if cached && known.generation == v.Generation {
		return known, nil
	}
	found := problemsOf(ctx, v.Spec)
	if err := ctx.Err(); err != nil {
		return problems{}, fmt.Errorf("cannot check the protos: %w", err)
	}
	found.generation = v.Generation
	r.problems.put(v, found)
	return found, nil
}

// problemsOf compiles the protos and finds the rpc of each workflow.
func problemsOf(ctx context.Context, spec v1alpha1.VersionSpec) problems {
	compiled, err := contract.Compile(ctx, spec)
	var failures schema.Errors
	switch {
	case errors.As(err, &failures) && len(failures) > 1:
		return problems{protos: fmt.Sprintf("%s (and %d more errors)", failures[0].Error(), len(failures)-1)}
	case err != nil:
		return problems{protos: err.Error()}
	}
	d := problems{workflows: map[string]string{}, streams: map[string]bool{}}
	taken := map[string]string{}
	for _, w := range spec.Workflows {
		method, err := compiled.Method(w.Entrypoint)
		if err != nil {
			d.workflows[w.Name] = err.Error()
			continue
		}
		rpc := string(method.FullName())
		if other, ok := taken[rpc]; ok {
			d.workflows[w.Name] = fmt.Sprintf("rpc %q already belongs to workflow %q", rpc, other)
			continue
		}
		taken[rpc] = w.Name
		if method.IsStreamingServer() {
			d.streams[w.Name] = true
		}
	}
	return d
}
