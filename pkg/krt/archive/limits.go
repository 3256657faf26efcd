package archive

import "fmt"

// Limits bounds a packed bundle. A zero field has its default.
type Limits struct {
	// MaxEntries is how many files and folders it may hold, 100,000 by default. Folders that
	// are only part of a path count too.
	MaxEntries int
	// MaxBytes is how large it may be unpacked, 4 GiB by default.
	MaxBytes int64
	// MaxRatio is the maximum ratio of unpacked to packed bytes, 200 by default. It applies above 16 MiB
	// only, so that a small bundle can contain a file of zeros.
	MaxRatio int64
	// MaxWork is how much work matching ignore patterns may be, in bytes of patterns times bytes of names:
	// 1<<30 by default, which takes some seconds.
	MaxWork int64
}

// ratioFloor is from how many bytes on the ratio counts.
const ratioFloor = 16 << 20

func (l Limits) withDefaults() Limits {
	if l.MaxEntries <= 0 {
		l.MaxEntries = 100_000
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = 4 << 30
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = 200
	}
	if l.MaxWork <= 0 {
		l.MaxWork = 1 << 30
	}
	return l
}

// checkRatio refuses an archive that unpacks to suspiciously many bytes.
func (l Limits) checkRatio(packed, unpacked int64) error {
	if unpacked > ratioFloor && unpacked/l.MaxRatio > packed {
		return fmt.Errorf("it is compressed by more than %d:1", l.MaxRatio)
	}
	return nil
}

func (l Limits) checkBytes(unpacked int64) error {
	if unpacked > l.MaxBytes {
		return fmt.Errorf("the bundle is larger than %d bytes unpacked", l.MaxBytes)
	}
	return nil
}
