// Package sourcetest is a source in memory, for tests of pages with states and texts that a real
// cluster seldom has.
package sourcetest

import (
	"cmp"
	"context"
	"io/fs"
	"net/http"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// Memory is a source whose versions are set by the test. Its fields are read under its lock only
// by its methods: set them before the source is used.
type Memory struct {
	// Address is that of Reach; empty: the version cannot be called.
	Address string
	// Reasons is the result of Rights, Refuse what Act and SetConfig return instead of doing
	// something, if it is not nil.
	Reasons map[source.Action]string
	Refuse  error
	// Unasked is why the Reasons cannot be asked for.
	Unasked error
	// Declared is the result of Config, Past that of History.
	Declared []source.ConfigEntry
	Past     source.History
	// Figures is the result of Numbers, if there is no Unread, which is why there are none.
	Figures *source.Numbers
	Unread  error
	// Used is the result of Loads.
	Used source.Loads
	// Drawn is the result of Chart, if there is no Undrawn, which is why there is none.
	Drawn   *source.Chart
	Undrawn error
	// Saved is the result of Predictions; without it they are refused.
	Saved source.Predictions
	// Written is the result of Files, which refuses if it is nil; Protos that of Contract.
	Written fs.FS
	Protos  *source.Contract
	// Measured is the result of Measurements, which refuse if it is nil.
	Measured source.Measurements

	// Divided is the result of Division, Differing that of Differences; without the first both refuse.
	Divided   *source.Division
	Differing []inspection.Difference

	// Port is the inspection port of its versions; without it Inspect refuses.
	Port http.Handler

	// Kept are its requests, Logged its lines.
	Kept   *Requests
	Logged *Logs

	mu       sync.Mutex
	versions []source.Version
	orders   []source.Order
	values   map[string][]byte
	changed  chan struct{} // closed at the next change
}

// New is a source with the versions.
func New(versions ...source.Version) *Memory {
	owned := make([]source.Version, len(versions))
	for i, v := range versions {
		owned[i] = own(v)
	}
	return &Memory{
		versions: owned, values: map[string][]byte{}, changed: make(chan struct{}), Kept: newRequests(), Logged: newLogs(),
	}
}

// Set adds the version, or replaces the one of its name.
func (m *Memory) Set(v source.Version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions = slices.DeleteFunc(m.versions, func(w source.Version) bool { return w.Ref == v.Ref })
	m.versions = append(m.versions, own(v))
	m.wake()
}

// own is the version with lists that the test does not have: it may go on to change its own.
func own(v source.Version) source.Version {
	v.Nodes, v.Workflows = slices.Clone(v.Nodes), slices.Clone(v.Workflows)
	return v
}

func (m *Memory) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// SetFigures replaces the Figures of a source that is used, and says that they have changed.
func (m *Memory) SetFigures(n *source.Numbers) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Figures = n
	m.wake()
}

// Remove removes the version.
func (m *Memory) Remove(ref source.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions = slices.DeleteFunc(m.versions, func(v source.Version) bool { return v.Ref == ref })
	m.wake()
}

// Orders are the actions that were asked for, in order.
func (m *Memory) Orders() []source.Order {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.orders)
}

// Versions returns all.
func (m *Memory) Versions(context.Context) ([]source.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.versions)
	slices.SortFunc(all, func(a, b source.Version) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// Version returns one.
func (m *Memory) Version(_ context.Context, ref source.Ref) (*source.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.versions {
		if v.Ref == ref {
			return &v, nil
		}
	}
	return nil, &source.NotFoundError{Ref: ref}
}

// Watch calls changed after each Set, whichever version it was.
func (m *Memory) Watch(ctx context.Context, _ source.Ref, changed func()) error {
	for {
		m.mu.Lock()
		next := m.changed
		m.mu.Unlock()
		changed()
		select {
		case <-ctx.Done():
			return nil
		case <-next:
		}
	}
}

// Rights returns the Reasons, or Unasked.
func (m *Memory) Rights(context.Context, source.Ref) (map[source.Action]string, error) {
	return m.Reasons, m.Unasked
}

// Act notes the order.
func (m *Memory) Act(_ context.Context, o source.Order) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Refuse != nil {
		return m.Refuse
	}
	m.orders = append(m.orders, o)
	return nil
}

// Config returns what is declared.
func (m *Memory) Config(context.Context, source.Ref) ([]source.ConfigEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.Declared), nil
}

// Value is the value that was set for the name.
func (m *Memory) Value(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.values[name])
}

// SetConfig keeps values, and notes which entries have one.
func (m *Memory) SetConfig(_ context.Context, _ source.Ref, set map[string][]byte, unset []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Refuse != nil {
		return m.Refuse
	}
	for i, e := range m.Declared {
		if value, ok := set[e.Name]; ok {
			m.Declared[i].Set, m.values[e.Name] = true, value
		}
		if slices.Contains(unset, e.Name) {
			m.Declared[i].Set = false
		}
	}
	return nil
}

// History returns the Past.
func (m *Memory) History(context.Context, source.Ref) (*source.History, error) {
	return &m.Past, nil
}

// Numbers returns the Figures.
func (m *Memory) Numbers(context.Context, source.Ref) (*source.Numbers, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Figures, m.Unread
}

// FollowNumbers calls changed once.
func (m *Memory) FollowNumbers(ctx context.Context, _ source.Ref, changed func()) error {
	changed()
	<-ctx.Done()
	return nil
}

// Loads returns the Used.
func (m *Memory) Loads([]source.Ref) source.Loads { return m.Used }

// FollowLoads calls changed once.
func (m *Memory) FollowLoads(ctx context.Context, changed func()) error {
	return m.FollowNumbers(ctx, source.Ref{}, changed)
}

// Division returns what is Divided.
func (m *Memory) Division(context.Context, source.Ref) (*source.Division, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Divided == nil {
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: "nothing is published here"}
	}
	return m.Divided, nil
}

// SetDivision replaces what is Divided of a source that is used, and says that it has changed.
func (m *Memory) SetDivision(d *source.Division) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Divided = d
	m.wake()
}

// Differences returns what is Differing.
func (m *Memory) Differences(context.Context, source.Ref) ([]inspection.Difference, []string, error) {
	return m.Differing, nil, nil
}

// Predictions returns what is Saved.
func (m *Memory) Predictions(context.Context, source.Ref) (source.Predictions, func(), error) {
	if m.Saved == nil {
		return nil, nil, &source.RefusedError{Refusal: source.Unavailable, Text: "there is no store"}
	}
	return m.Saved, func() {}, nil
}

// Chart returns what is Drawn, or a chart of nothing.
func (m *Memory) Chart(context.Context, source.Ref, source.Span) (*source.Chart, error) {
	return cmp.Or(m.Drawn, &source.Chart{}), m.Undrawn
}
