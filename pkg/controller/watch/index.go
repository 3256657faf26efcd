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

// OwnerIndex indexes objects by their owner, once for all controllers. It does so when
// these start: for what is indexed earlier the manager waits, also where it is not allowed
// to read it, and in a replica that is not the leader.
type OwnerIndex struct {
	indexer client.FieldIndexer

	mu      sync.Mutex
	indexed map[reflect.Type]bool
}

// NewOwnerIndex returns an index that is empty.
func NewOwnerIndex(indexer client.FieldIndexer) *OwnerIndex {
	return &OwnerIndex{indexer: indexer, indexed: map[reflect.Type]bool{}}
}

// Index indexes kinds, and waits until their objects have been read.
func (x *OwnerIndex) Index(ctx context.Context, kinds ...client.Object) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, kind := range kinds {
		of := reflect.TypeOf(kind) // not its name: there are two *v1.Service
		if x.indexed[of] {
			continue
		}
		if err := x.indexer.IndexField(ctx, kind, apply.OwnerIndex, apply.IndexOwner); err != nil {
			return fmt.Errorf("cannot index %s: %w", of, err)
		}
		x.indexed[of] = true
	}
	return nil
}

// Source indexes kinds before the first reconcile.
func (x *OwnerIndex) Source(kinds ...client.Object) source.Source {
	return source.Func(func(ctx context.Context, _ Queue) error { return x.Index(ctx, kinds...) })
}
