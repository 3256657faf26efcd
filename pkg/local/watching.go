package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The root itself is looked at from time to time, more often while it is gone: that a folder above it
// was moved, or that a process is still in a deleted one, causes no event.
const (
	lookLater  = 2 * time.Second
	lookSooner = 500 * time.Millisecond
)

// watching is a watcher that runs.
type watching struct {
	*watcher
	pending *changeSet
	first   time.Time     // of the pending changes
	idle    *time.Timer   // nothing has changed for a while
	look    *time.Timer   // when to look for the root
	out     chan []string // nil while nothing is to be delivered
	told    bool          // that the root is gone
}

// run delivers changes until ctx is done.
func (w *watcher) run(ctx context.Context) {
	defer w.notify.Close()
	r := &watching{watcher: w, pending: newChangeSet(), idle: time.NewTimer(0), look: time.NewTimer(lookLater)}
	<-r.idle.C
	defer r.idle.Stop()
	defer r.look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-w.notify.Events:
			r.take(event)
		case err := <-w.notify.Errors:
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				w.add(w.root, nil)
				r.note(w.root, false)
				continue
			}
			w.unnoticed(err)
		case <-r.look.C:
			r.look.Reset(r.lookForRoot())
		case <-r.idle.C:
			r.settle()
		case r.out <- r.pending.paths:
			r.forget()
		}
	}
}

// take takes one event.
func (r *watching) take(event fsnotify.Event) {
	if event.Name == r.root && (event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename)) {
		r.leave()
		r.look.Reset(quiet) // what is deleted may be made again at once
		return
	}
	r.handle(event, r.note)
}

// note adds a path to the pending changes.
func (r *watching) note(path string, made bool) {
	if r.printedTo(path) {
		return
	}
	if len(r.pending.paths) == 0 {
		r.first = time.Now()
	}
	if relative, err := filepath.Rel(r.root, path); err == nil {
		r.pending.add(filepath.ToSlash(relative), made)
	}
	r.out = nil
	r.idle.Reset(max(0, min(quiet, patience-time.Since(r.first))))
}

// settle makes the pending changes ready to be delivered, unless they are of a root that is gone.
func (r *watching) settle() {
	if info, err := os.Stat(r.root); err != nil || !r.is(info) {
		r.look.Reset(0)
		return
	}
	if r.pending.settle(r.root); len(r.pending.paths) > 0 {
		r.out = r.changes
	}
}

func (r *watching) forget() { r.pending, r.out = newChangeSet(), nil }

// is reports whether info is of the root that is watched.
func (r *watching) is(info os.FileInfo) bool { return r.self != nil && os.SameFile(r.self, info) }

// lookForRoot watches the root again if it is another folder than before, which then is one change,
// and says when it is gone. It returns after what time to look again.
func (r *watching) lookForRoot() time.Duration {
	info, err := os.Stat(r.root)
	there := err == nil && info.IsDir()
	if there && r.is(info) {
		return lookLater
	}
	r.leave()
	if !there {
		r.forget()
		if !r.told {
			r.told = true
			r.warn(fmt.Sprintf("the folder %s is gone: the previous code keeps running until the folder is there again", r.root))
		}
		return lookSooner
	}
	r.self, r.told = info, false
	r.add(r.root, nil)
	r.note(r.root, false)
	return lookLater
}

// leave ends the watch of the root and of all in it, wherever they are now.
func (r *watching) leave() {
	for _, folder := range r.notify.WatchList() {
		if r.link == "" || folder != filepath.Dir(r.link) {
			_ = r.notify.Remove(folder) // a deleted one is not watched any more
		}
	}
	r.self = nil
}
