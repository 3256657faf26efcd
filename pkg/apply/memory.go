package apply

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memory holds the objects that differ from what is desired and always will, because the
// apiserver or a webhook rewrites them: their form, and what was desired. The zero memory is
// empty.
type memory struct {
	mu      sync.Mutex
	objects map[object]state
}

type object struct {
	gvk schema.GroupVersionKind
	key client.ObjectKey
}

type state struct {
	wanted, content string
	owner           types.UID
}

func stateOf(w *wanted, form map[string]any) state {
	return state{wanted: w.hash, content: content(form), owner: w.of}
}

func (m *memory) knows(w *wanted, form map[string]any) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.objects[object{w.gvk, w.key}]
	return ok && known == stateOf(w, form)
}

func (m *memory) keep(w *wanted, form map[string]any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[object]state{}
	}
	m.objects[object{w.gvk, w.key}] = stateOf(w, form)
}

// forget drops an object that no longer exists.
func (m *memory) forget(o object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, o)
}

// Keep forgets the objects of all owners but these.
func (a *Applier) Keep(owners map[types.UID]bool) {
	a.settled.mu.Lock()
	defer a.settled.mu.Unlock()
	maps.DeleteFunc(a.settled.objects, func(_ object, s state) bool { return !owners[s.owner] })
}
