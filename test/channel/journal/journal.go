// Package journal keeps payloads in one file, each from the time it is known to be on the disk
// until it is forgotten. What was kept survives the process, however that ends.
package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// compactAt is the size from which a file of which most is forgotten is written again.
const compactAt = 32 << 20

// Journal is an open file.
type Journal struct {
	path      string
	compactAt int64

	mu     sync.Mutex
	next   uint64
	live   map[uint64][]byte
	bytes  int64 // of what is live
	buffer []byte
	batch  *batch // of the buffer; nil if there is none to wait for
	wake   chan struct{}
	closed bool
	broken error

	// What follows belongs to the writer.
	file *os.File
	lock *os.File
	size int64
	done chan struct{}
}

// batch is what is written together.
type batch struct {
	written chan struct{} // closed once it is on the disk, or cannot be
	err     error
}

// Open opens a file, or makes it, and returns what is kept in it by its ids. A record at its end
// that was not written whole has never been acknowledged, and is cut off. It waits for a process
// that has the file open to end.
func Open(path string) (*Journal, map[uint64][]byte, error) {
	return open(path, compactAt)
}

func open(path string, compactAt int64) (*Journal, map[uint64][]byte, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	j := &Journal{
		path: path, compactAt: compactAt, next: 1, live: map[uint64][]byte{}, file: file, lock: lock,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := errors.Join(j.replay(), syncFolder(path)); err != nil {
		return nil, nil, fmt.Errorf("cannot read %s: %w", path, errors.Join(err, file.Close(), lock.Close()))
	}
	kept := maps.Clone(j.live)
	go j.write()
	return j, kept, nil
}

// replay reads the file, and cuts off what is torn.
func (j *Journal) replay() error {
	r := bufio.NewReaderSize(j.file, 1<<20)
	for {
		does, id, payload, size, err := readRecord(r)
		if errors.Is(err, errTorn) {
			err = errors.Join(j.file.Truncate(j.size), io.EOF)
		}
		if errors.Is(err, io.EOF) {
			_, err := j.file.Seek(j.size, io.SeekStart)
			return err
		}
		if err != nil {
			return err
		}
		j.size += size
		j.next = max(j.next, id+1)
		switch does {
		case keep:
			j.bytes += int64(len(payload))
			j.live[id] = payload
		case forget:
			j.bytes -= int64(len(j.live[id]))
			delete(j.live, id)
		}
	}
}

// Keep returns once the payloads are on the disk, all of them or, with an error, perhaps some. They
// must not be changed afterwards.
func (j *Journal) Keep(payloads ...[]byte) ([]uint64, error) {
	for _, payload := range payloads {
		if len(payload) > MostBytes {
			return nil, fmt.Errorf("%d bytes cannot be kept: the limit is %d", len(payload), MostBytes)
		}
	}
	j.mu.Lock()
	if err := j.unusable(); err != nil {
		j.mu.Unlock()
		return nil, err
	}
	ids := make([]uint64, len(payloads))
	for i, payload := range payloads {
		ids[i] = j.next
		j.next++
		j.live[ids[i]] = payload
		j.bytes += int64(len(payload))
		j.buffer = appendRecord(j.buffer, keep, ids[i], payload)
	}
	if j.batch == nil {
		j.batch = &batch{written: make(chan struct{})}
	}
	b := j.batch
	j.mu.Unlock()
	j.signal()
	<-b.written
	if b.err != nil {
		j.drop(ids)
		return nil, b.err
	}
	return ids, nil
}

// Forget drops what is kept under an id. It is written with what is kept next, or soon: if the
// process ends before, it is still there.
func (j *Journal) Forget(id uint64) {
	j.mu.Lock()
	payload, known := j.live[id]
	if known && j.unusable() == nil {
		j.bytes -= int64(len(payload))
		delete(j.live, id)
		j.buffer = appendRecord(j.buffer, forget, id, nil)
	}
	j.mu.Unlock()
	j.signal()
}

// Bytes is the size of all that is kept.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Close writes what there is to be written and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	already := j.closed
	j.closed = true
	j.mu.Unlock()
	if already {
		return nil
	}
	j.signal()
	<-j.done
	return errors.Join(j.broken, j.file.Close(), j.lock.Close())
}

func (j *Journal) unusable() error {
	if j.closed {
		return os.ErrClosed
	}
	return j.broken
}

func (j *Journal) drop(ids []uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range ids {
		j.bytes -= int64(len(j.live[id]))
		delete(j.live, id)
	}
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// write writes batch after batch: what comes while one is written is the next one.
func (j *Journal) write() {
	defer close(j.done)
	for range j.wake {
		j.mu.Lock()
		buffer, b, closed, broken := j.buffer, j.batch, j.closed, j.broken
		j.buffer, j.batch = nil, nil
		j.mu.Unlock()
		err := broken
		if err == nil {
			err = j.flush(buffer, b != nil || closed)
		}
		if b != nil {
			b.err = err
			close(b.written)
		}
		if closed {
			return
		}
		if err == nil {
			j.compact()
		}
	}
}

// flush writes a batch. One that the disk has no room for is taken back, and the next may fit. After
// an fsync that failed nobody knows what the disk has: the journal is of no use any more.
func (j *Journal) flush(buffer []byte, sync bool) error {
	n, err := j.file.Write(buffer)
	if err != nil {
		if back := j.file.Truncate(j.size); back != nil {
			return j.fail(errors.Join(err, back))
		}
		if _, back := j.file.Seek(j.size, io.SeekStart); back != nil {
			return j.fail(errors.Join(err, back))
		}
		return err
	}
	j.size += int64(n)
	if !sync {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return j.fail(err)
	}
	return nil
}

func (j *Journal) fail(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = err
	return err
}

// compact writes what is live into another file, which takes the place of this one. If it cannot,
// this one serves as before.
func (j *Journal) compact() {
	j.mu.Lock()
	due := j.size >= j.compactAt && j.bytes < j.size/2 && len(j.buffer) == 0
	var live []byte
	if due {
		for _, id := range slices.Sorted(maps.Keys(j.live)) {
			live = appendRecord(live, keep, id, j.live[id])
		}
		// The highest id so far stays known, so that none is given twice.
		if last := j.next - 1; !j.keeps(last) {
			live = appendRecord(live, forget, last, nil)
		}
	}
	j.mu.Unlock()
	if !due {
		return
	}
	file, err := replace(j.path, live)
	if err != nil {
		return
	}
	_ = j.file.Close() // it has no name any more
	j.file, j.size = file, int64(len(live))
}

// keeps reports whether something is kept under an id; j.mu is held.
func (j *Journal) keeps(id uint64) bool {
	_, live := j.live[id]
	return live
}

// replace puts a file with that content in the place of another one.
func replace(path string, content []byte) (*os.File, error) {
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	// The new file has the name, whether the folder can be synced or not.
	_ = syncFolder(path)
	return file, nil
}

// syncFolder makes the name of a file as durable as its content.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// lockFile waits until no other process has that lock. It goes with the process.
func lockFile(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}
