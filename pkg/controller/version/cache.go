package version

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// cache holds a value for each version. The zero cache is empty.
type cache[T any] struct {
	mu     sync.Mutex
	values map[types.UID]T
}

func (c *cache[T]) get(v *v1alpha1.Version) (value T, cached bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, cached = c.values[v.UID]
	return value, cached
}

func (c *cache[T]) put(v *v1alpha1.Version, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[types.UID]T{}
	}
	c.values[v.UID] = value
}

// keep forgets the values of all versions but these.
func (c *cache[T]) keep(uids map[types.UID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.values, func(uid types.UID, _ T) bool { return !uids[uid] })
}
