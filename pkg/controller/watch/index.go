package watch

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/apply"
)

// OwnerIndex lets objects of some kinds be found by their owner, once for all who
// ask. It is made when controllers start: what is indexed before that is waited for
// by the manager, also where it must not be read, and by one that is not the leader.
type OwnerIndex struct {
	indexer client.FieldIndexer

	mu   sync.Mutex
	made map[reflect.Type]bool
}

// NewOwnerIndex indexes by indexer.
func NewOwnerIndex(indexer client.FieldIndexer) *OwnerIndex {
	return &OwnerIndex{indexer: indexer, made: map[reflect.Type]bool{}}
}

// Of indexes kinds. It waits until their objects are known.
func (x *OwnerIndex) Of(ctx context.Context, kinds ...client.Object) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, kind := range kinds {
		of := reflect.TypeOf(kind) // its name alone is that of another kind too: there are two *v1.Service
		if x.made[of] {
			continue
		}
		if err := x.indexer.IndexField(ctx, kind, apply.OwnerIndex, apply.IndexOwner); err != nil {
			return fmt.Errorf("cannot index %s: %w", of, err)
		}
		x.made[of] = true
	}
	return nil
}

// Source indexes kinds before the first look at anything.
func (x *OwnerIndex) Source(kinds ...client.Object) source.Source {
	return source.Func(func(ctx context.Context, _ Queue) error { return x.Of(ctx, kinds...) })
}
