package sqlite

import "syscall"

// Volume returns the bytes that are free for users on the volume with a folder, and all that it
// has for them; 0 if that is not known.
func Volume(folder string) (free, size int64) {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return 0, 0
	}
	block := int64(s.Bsize) //nolint:unconvert // its type differs between architectures
	used := int64(s.Blocks-s.Bfree) * block
	free = int64(s.Bavail) * block
	return free, used + free
}
