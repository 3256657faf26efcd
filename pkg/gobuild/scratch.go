package gobuild

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	scratchVariable = "GOTMPDIR"
	// What has been killed may still be ending when its files are removed.
	removeTries, removePause = 50, 20 * time.Millisecond
)

// Scratch makes a folder for what the go command keeps only while it runs, where env lets it keep that, and returns
// env with the folder in it. The go command removes its files itself, but not if it is killed: remove does, and is to
// be called when the command has ended.
func Scratch(env []string) (with []string, remove func(), err error) {
	parent := ""
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, scratchVariable+"="); ok {
			parent = value
		}
	}
	folder, err := os.MkdirTemp(parent, "krt-build-*")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a folder to build in: %w", err)
	}
	remove = func() {
		for range removeTries {
			if os.RemoveAll(folder) == nil {
				return
			}
			time.Sleep(removePause)
		}
	}
	return append(env[:len(env):len(env)], scratchVariable+"="+folder), remove, nil
}
