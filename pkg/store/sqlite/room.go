package sqlite

import (
	"maps"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/store"
)

const (
	// maxKeys limits the indexes of a collection, maxAllKeys those of all.
	maxKeys, maxAllKeys = 8, 256
	// keptUnused is how long an index is kept that no find uses, if there is no room for one
	// that is wanted.
	keptUnused = time.Hour
)

// makeRoom reports whether a collection may have one more index. Where there are too many, the
// one goes that was not used for the longest time: in the same collection, or in the namespace
// that has the most. Between the indexes of one namespace it must be an hour, because it takes
// long to make one; but no namespace keeps another one from its share.
func (k *keys) makeRoom(in store.Collection, now time.Time) (bool, error) {
	k.mu.RLock()
	all, byRuntime := 0, map[string]int{}
	for of, some := range k.all {
		all, byRuntime[of.Runtime] = all+len(some), byRuntime[of.Runtime]+len(some)
	}
	full := len(k.all[in]) >= maxKeys
	k.mu.RUnlock()
	most := in.Runtime
	for _, runtime := range slices.Sorted(maps.Keys(byRuntime)) {
		if byRuntime[runtime] > byRuntime[most] {
			most = runtime
		}
	}
	unused := now.Add(-keptUnused)
	switch {
	case full:
		return k.dropOne(func(of store.Collection) bool { return of == in }, unused)
	case all < maxAllKeys:
		return true, nil
	case byRuntime[most] > byRuntime[in.Runtime]+1:
		unused = now
	}
	return k.dropOne(func(of store.Collection) bool { return of.Runtime == most }, unused)
}

// dropOne drops the index, of the collections that are chosen, that was not used for the longest
// time, unless it was used later than before.
func (k *keys) dropOne(chosen func(store.Collection) bool, before time.Time) (bool, error) {
	k.mu.RLock()
	var oldest key
	var of store.Collection
	for in, some := range k.all {
		for _, one := range some {
			if chosen(in) && (oldest.used == nil || one.used.Load() < oldest.used.Load()) {
				oldest, of = one, in
			}
		}
	}
	k.mu.RUnlock()
	if oldest.used == nil || oldest.used.Load() > before.Unix() {
		return false, nil
	}
	err := k.writer.write(k.ctx, func(w *writer) error {
		_, err := w.exec("UPDATE document_keys SET state = ? WHERE id = ?", dropped, oldest.id)
		return err
	})
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	k.all[of] = slices.DeleteFunc(slices.Clone(k.all[of]), func(one key) bool { return one.id == oldest.id })
	if len(k.all[of]) == 0 {
		delete(k.all, of)
	}
	k.mu.Unlock()
	return true, k.remove(oldest.id)
}

// remove removes the values of a key that is dropped, group by group, and then the key.
func (k *keys) remove(id int64) error {
	_, err := store.Part{}.Groups(deleteGroup, func() (int64, error) {
		return k.writer.delete(k.ctx, `DELETE FROM document_values WHERE (key, value, doc) IN
(SELECT key, value, doc FROM document_values WHERE key = ? LIMIT ?)`, id, deleteGroup)
	})
	if err != nil {
		return err
	}
	return k.writer.write(k.ctx, func(w *writer) error {
		_, err := w.exec("DELETE FROM document_keys WHERE id = ? AND state = ?", id, dropped)
		return err
	})
}
