// Package contract reads the contracts of Versions, and compares them.
package contract

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/compatible"
)

// Compile compiles the protos of a version.
func Compile(ctx context.Context, spec v1alpha1.VersionSpec) (*schema.Schema, error) {
	files := fstest.MapFS{}
	for _, f := range spec.Entrypoint.Files {
		files[f.Path] = &fstest.MapFile{Data: []byte(f.Content)}
	}
	return schema.Compile(ctx, files, spec.Entrypoint.Proto, schema.Options{})
}

// Comparer compares contracts, and remembers its results: compiling protos is expensive.
// The zero Comparer is ready; it may be used by several goroutines at once.
type Comparer struct {
	mu    sync.Mutex
	known map[types.UID]result // by the Runtime
}

// result is what is wrong with a canary beside a published version.
type result struct {
	of      pair
	problem string
}

// pair are two versions as specified at a time.
type pair struct {
	published, canary                     types.UID
	publishedGeneration, canaryGeneration int64
}

// Compare returns why the canary of a Runtime cannot serve requests to the published version;
// empty if it can. The error is that ctx is done.
func (c *Comparer) Compare(ctx context.Context, runtime types.UID, published, canary *v1alpha1.Version) (problem string, err error) {
	of := pair{published.UID, canary.UID, published.Generation, canary.Generation}
	c.mu.Lock()
	known, exists := c.known[runtime]
	c.mu.Unlock()
	if exists && known.of == of {
		return known.problem, nil
	}
	problem = compare(ctx, published, canary)
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("cannot compare the contracts: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[types.UID]result{}
	}
	c.known[runtime] = result{of, problem}
	return problem, nil
}

// Keep forgets all Runtimes but these.
func (c *Comparer) Keep(runtimes map[types.UID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.known, func(uid types.UID, _ result) bool { return !runtimes[uid] })
}

func compare(ctx context.Context, published, canary *v1alpha1.Version) string {
	var offers [2]offer
	for i, v := range []*v1alpha1.Version{published, canary} {
		compiled, err := Compile(ctx, v.Spec)
		if err != nil {
			return fmt.Sprintf("the protos of version %q cannot be compiled: %s", v.Name, err)
		}
		offers[i] = offerOf(v, compiled)
	}
	problems := append(compatible.Check(offers[0].methods, offers[1].methods), refused(offers[0], offers[1])...)
	if len(problems) == 0 {
		return ""
	}
	text := fmt.Sprintf("version %q does not serve the contract of %q: %s", canary.Name, published.Name, problems[0])
	if more := len(problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}
