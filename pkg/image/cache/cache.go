// Package cache keeps, within bounds, what is worth keeping between the making of images: Go programs,
// requirements, digests of layers.
package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The folders of the cache.
const (
	Packages = "python" // what requirements came to, and the bytecode of that, a folder each
	Programs = "go"     // built programs
	Layers   = "layers" // what is known of layers, without their content
	SDKs     = "sdk"    // the SDK's source
	Work     = "work"   // what sessions are at work on
)

// SizeFile is in an entry that is a folder, and has its size in bytes.
const SizeFile = "size"

// inUse is how long what was used is kept whatever the bounds: a session may still read it.
const inUse = time.Hour

// Dir is the cache, by its folder. All of it may be deleted any time.
type Dir string

// Open makes the folders of the cache that are not there, and removes what is above its bounds.
func Open(folder string) (Dir, error) {
	for name := range bounds() {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			return "", fmt.Errorf("cannot use the cache folder: %w", err)
		}
	}
	Dir(folder).Evict()
	return Dir(folder), nil
}

// Path is where the entry of that name is in one of the folders.
func (d Dir) Path(folder, name string) string { return filepath.Join(string(d), folder, name) }

// Evict removes what the cache is not to keep. What cannot be removed now is tried again by the next session.
func (d Dir) Evict() { evict(string(d), bounds(), time.Now()) }

// bound is how much a folder of the cache keeps. What was not used for the longest time goes first.
type bound struct {
	entries int
	bytes   int64
	age     time.Duration
}

func bounds() map[string]bound {
	const day = 24 * time.Hour
	return map[string]bound{
		Packages: {entries: 128, bytes: 16 << 30, age: 60 * day},
		Programs: {entries: 256, bytes: 8 << 30, age: 60 * day},
		Layers:   {entries: 8192, bytes: 64 << 20, age: 365 * day},
		SDKs:     {entries: 32, bytes: 64 << 20, age: 365 * day},
		Work:     {entries: 10_000, bytes: 1 << 62, age: day}, // of sessions that were killed
	}
}

// Used reports whether an entry of the cache is there, and that it is used now.
func Used(entry string, now time.Time) bool {
	return os.Chtimes(entry, now, now) == nil
}

func evict(cache string, all map[string]bound, now time.Time) {
	for folder, b := range all {
		for _, name := range b.surplus(filepath.Join(cache, folder), now) {
			remove(cache, filepath.Join(cache, folder, name), now)
		}
	}
}

// remove removes an entry, unless it has been used since it was chosen.
func remove(cache, entry string, now time.Time) {
	// Away first: what is removed in part is not an entry.
	folder, err := os.MkdirTemp(filepath.Join(cache, Work), "evicted-")
	if err != nil {
		return
	}
	defer os.RemoveAll(folder)
	away := filepath.Join(folder, "entry")
	if os.Rename(entry, away) != nil {
		return
	}
	// A session that used it before it was moved counts on it; later ones have made another.
	if info, err := os.Stat(away); err == nil && now.Sub(info.ModTime()) <= inUse {
		_ = os.Rename(away, entry)
	}
}

// surplus returns the names of the entries in folder that are above the bound.
func (b bound) surplus(folder string, now time.Time) (names []string) {
	type entry struct {
		name string
		size int64
		used time.Time
	}
	var all []entry
	listed, _ := os.ReadDir(folder) // what is not there is not above it
	for _, e := range listed {
		if info, err := e.Info(); err == nil {
			size := info.Size()
			if e.IsDir() {
				size = sizeOf(filepath.Join(folder, e.Name()))
			}
			all = append(all, entry{e.Name(), size, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return b.used.Compare(a.used) })
	var count int
	var bytes int64
	for _, e := range all {
		count++
		bytes += e.size
		idle := now.Sub(e.used)
		if idle > inUse && (count > b.entries || bytes > b.bytes || idle > b.age) {
			names = append(names, e.name)
			count--
			bytes -= e.size
		}
	}
	return names
}

// sizeOf returns the size that a cached folder has recorded. One without a record is small.
func sizeOf(folder string) int64 {
	text, err := os.ReadFile(filepath.Join(folder, SizeFile))
	if err != nil {
		return 0
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return size
}

// Write writes a file that is either whole or not there.
func Write(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep %q: %w", filepath.Base(path), err), os.Remove(file.Name()))
	}
	return nil
}
