package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"krt.dev/kn-krt/pkg/filelock"
)

// ErrInUse is returned for a folder that another queue uses.
var ErrInUse = errors.New("another queue uses it")

const (
	// lockTime is how long a queue waits for the one before it, which may be stopping still.
	lockTime = time.Minute
	// lockPause is the pause between two tries.
	lockPause = 100 * time.Millisecond
)

// lock keeps other queues from a folder until what it returns is closed or the process ends: two
// would write the same files, and lose what they have acknowledged. A pod that is deleted by force
// may run for a moment beside the next one.
func lock(ctx context.Context, folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("-folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, "krt-queue.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("-folder: cannot lock it: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	tries := time.NewTicker(lockPause)
	defer tries.Stop()
	for {
		err := filelock.Take(f)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, filelock.ErrTaken) {
			select {
			case <-tries.C:
				continue
			case <-ctx.Done():
				err = ErrInUse
			}
		}
		return nil, errors.Join(fmt.Errorf("-folder: cannot lock %s: %w", folder, err), f.Close())
	}
}
