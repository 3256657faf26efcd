package runner

import "sync"

// values holds what the node's code stores between calls. Init and all calls share it,
// in any goroutine.
type values struct {
	mu sync.RWMutex
	m  map[string]any
}

func (v *values) set(key string, value any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.m == nil {
		v.m = map[string]any{}
	}
	v.m[key] = value
}

func (v *values) get(key string) (any, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	value, ok := v.m[key]
	return value, ok
}
