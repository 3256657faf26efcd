package sqlite

import (
	"context"
	"path/filepath"
)

// Usage is what a file takes, and what was removed so that it takes no more.
type Usage struct {
	// File is the name of the file, without its folder.
	File string
	// Used are the bytes of the file that have data, Limit those that it may have.
	Used, Limit int64
	// VolumeFree and VolumeSize are the bytes of the volume with the file; 0 where that is not
	// known.
	VolumeFree, VolumeSize int64
	// Measurements, Predictions and Results count what was removed since the store was opened, because
	// the file had reached its limit.
	Measurements, Predictions, Results uint64
}

// Usage returns what the file takes.
func (s *Store) Usage(ctx context.Context) (u Usage, err error) {
	const used = "SELECT (p.page_count - f.freelist_count) * s.page_size FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s"
	err = s.reader.QueryRowContext(ctx, used).Scan(&u.Used)
	u.File, u.Limit = filepath.Base(s.path), s.options.MaxBytes
	removed := &s.writer.removed
	u.Measurements, u.Predictions, u.Results = removed.measurements.Load(), removed.predictions.Load(), removed.results.Load()
	u.VolumeFree, u.VolumeSize = Volume(filepath.Dir(s.path))
	return u, err
}
