package image

import "sync"

// memo remembers what was made in a session, by key: many nodes need the same.
type memo struct {
	mu   sync.Mutex
	made map[any]func() (any, error)
}

func newMemo() *memo { return &memo{made: map[any]func() (any, error){}} }

// once returns what f returned for the key the first time. Keys are of a type each, so
// that none means another's.
func once[T any](m *memo, key any, f func() (T, error)) (T, error) {
	m.mu.Lock()
	get, ok := m.made[key]
	if !ok {
		get = sync.OnceValues(func() (any, error) { return f() })
		m.made[key] = get
	}
	m.mu.Unlock()
	value, err := get()
	typed, _ := value.(T)
	return typed, err
}
