package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// An editor's save, a checkout or a generator touches several files in a row.
// They are one change once nothing has happened for quiet; patience bounds the
// wait where something is written all the time.
const (
	quiet    = 150 * time.Millisecond
	patience = 2 * time.Second
)

// everything represents, among changed paths, changes that were not noticed one
// by one.
const everything = "."

// watcher notices changes in a folder and all folders in it.
type watcher struct {
	root   string        // links resolved: watched files have their own names
	skip   string        // a folder that is not part of the version
	link   string        // the link that pointed to root, if any; "" once it points elsewhere
	self   fs.FileInfo   // root as it is watched; nil while it is not
	output []fs.FileInfo // files that this process prints to
	notify *fsnotify.Watcher
	warn   func(text string)
	// changes receives the changed paths, slash-separated and relative to root.
	// What changes while nobody receives is added to the next set.
	changes chan []string
}

// newWatcher watches root, a folder or a link to one, but not the folder skip in it, from
// now on; run delivers. warn is called for folders that cannot be watched, and when root is gone. What
// this process prints to, of output, is not watched either: each reload would cause the next.
func newWatcher(root, skip string, warn func(text string), output ...*os.File) (*watcher, error) {
	named := filepath.Clean(root)
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	if resolved, err := filepath.EvalSymlinks(skip); err == nil {
		skip = resolved
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{root: root, skip: skip, notify: notify, warn: warn, changes: make(chan []string)}
	for _, file := range output {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			w.output = append(w.output, info)
		}
	}
	if w.self, err = os.Stat(root); err != nil {
		_ = notify.Close()
		return nil, err
	}
	w.add(root, nil)
	if info, err := os.Lstat(named); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		w.watchLink(named)
	}
	return w, nil
}

// watchLink watches the folder of the link: a link itself cannot be watched.
func (w *watcher) watchLink(link string) {
	folder, err := filepath.EvalSymlinks(filepath.Dir(link))
	if err == nil {
		err = w.notify.Add(folder)
	}
	if err != nil {
		w.unnoticed(err)
		return
	}
	w.link = filepath.Join(folder, filepath.Base(link))
}

// besideRoot reports whether a path is next to the link, and so not part of the version.
// It warns if the link now points elsewhere, where nothing is watched.
func (w *watcher) besideRoot(path string) bool {
	if w.link == "" || filepath.Dir(path) != filepath.Dir(w.link) || path == w.root {
		return false
	}
	if path == w.link {
		if to, err := filepath.EvalSymlinks(w.link); err == nil && to != w.root {
			w.unnoticed(fmt.Errorf("%s points to %s now: stop this run and start it again to follow it", w.link, to))
			_ = w.notify.Remove(filepath.Dir(w.link)) // reported once
			w.link = ""
		}
	}
	return true
}

// add watches folder and those in it, and calls found for each file there.
func (w *watcher) add(folder string, found func(path string, made bool)) {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since
			return nil
		case err != nil:
			return err
		case path != w.root && (path == w.skip || ignored(entry.Name())):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case entry.IsDir():
			if err := w.notify.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		case found != nil:
			found(path, true)
		}
		return nil
	})
	if err != nil {
		w.unnoticed(err)
	}
}

// unnoticed warns that changes will not be noticed because of err.
func (w *watcher) unnoticed(err error) {
	w.warn("some file changes will not be noticed: " + err.Error())
}

// printedTo reports whether path is a file that this process prints to, under whatever name.
func (w *watcher) printedTo(path string) bool {
	if len(w.output) == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(w.output, func(own fs.FileInfo) bool { return os.SameFile(own, info) })
}

// handle calls note for each path that event says has changed.
func (w *watcher) handle(event fsnotify.Event, note func(path string, made bool)) {
	if event.Op == fsnotify.Chmod || ignored(filepath.Base(event.Name)) || w.besideRoot(event.Name) {
		return
	}
	if event.Has(fsnotify.Create) {
		if info, err := os.Stat(event.Name); err == nil && info.IsDir() {
			w.add(event.Name, note) // files made before the watch was on it
			return
		}
	}
	note(event.Name, event.Has(fsnotify.Create))
}

// changeSet is a set of paths in the order in which they came.
type changeSet struct {
	paths []string
	made  map[string]bool // by path: it was made since the set began
}

func newChangeSet() *changeSet { return &changeSet{made: map[string]bool{}} }

func (s *changeSet) add(path string, made bool) {
	if _, known := s.made[path]; !known {
		s.made[path] = made
		s.paths = append(s.paths, path)
	}
}

// settle drops what was made and is gone again: the file that an editor writes
// first and then renames.
func (s *changeSet) settle(root string) {
	s.paths = slices.DeleteFunc(s.paths, func(path string) bool {
		if !s.made[path] {
			return false
		}
		_, err := os.Lstat(filepath.Join(root, filepath.FromSlash(path)))
		if !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		delete(s.made, path)
		return true
	})
}

// ignored reports whether a file or folder of this name is not part of a version:
// hidden ones, what Python and Go's tests leave, editors' temporary files.
func ignored(name string) bool {
	switch name {
	case "__pycache__", "node_modules", "4913": // vim tries whether it may write by a file 4913
		return true
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") {
		return true
	}
	for _, suffix := range []string{"~", ".pyc", ".swp", ".tmp", ".test", "_test.go", "___jb_tmp___", "___jb_old___"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
