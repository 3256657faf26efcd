package layer

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime returns when anything of the file was last changed, which no program can set, and
// its number.
func changeTime(info fs.FileInfo) (time.Time, uint64) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix()), stat.Ino
	}
	return time.Time{}, 0
}
