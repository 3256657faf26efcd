package image

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The folders of the cache.
const (
	cachedPackages = "python" // what requirements came to, a folder each
	cachedPrograms = "go"     // built programs
	cachedLayers   = "layers" // what is known of layers, without their content
	cachedSDKs     = "sdk"    // the SDK's source
	cachedWork     = "work"   // what sessions are at work on

	// sizeFile is in a cached folder and says how many bytes it holds.
	sizeFile = "size"
	// inUse is how long what was used is kept whatever the bounds: a session may still read it.
	inUse = time.Hour
)

// bound is how much a folder of the cache keeps. What was not used for the longest time goes first.
type bound struct {
	entries int
	bytes   int64
	age     time.Duration
}

func bounds() map[string]bound {
	const day = 24 * time.Hour
	return map[string]bound{
		cachedPackages: {entries: 64, bytes: 16 << 30, age: 60 * day},
		cachedPrograms: {entries: 256, bytes: 8 << 30, age: 60 * day},
		cachedLayers:   {entries: 8192, bytes: 64 << 20, age: 365 * day},
		cachedSDKs:     {entries: 32, bytes: 64 << 20, age: 365 * day},
		cachedWork:     {entries: 10_000, bytes: 1 << 62, age: day}, // of sessions that were killed
	}
}

// used says whether an entry of the cache is there, and that it is used now.
func used(entry string, now time.Time) bool {
	return os.Chtimes(entry, now, now) == nil
}

// evict removes what the cache is not to keep. What cannot be removed now is tried again by the next session.
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
	folder, err := os.MkdirTemp(filepath.Join(cache, cachedWork), "evicted-")
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

// sizeOf returns what a cached folder says that it holds. One that does not say is small.
func sizeOf(folder string) int64 {
	text, err := os.ReadFile(filepath.Join(folder, sizeFile))
	if err != nil {
		return 0
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return size
}
