package child

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// killBelow kills the groups that descendants of pid lead: a child may have started
// processes with groups of their own, as the front of a Python node does.
func killBelow(pid int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for _, field := range strings.Fields(string(text)) {
			below, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			killBelow(below)
			if group, err := syscall.Getpgid(below); err == nil && group == below {
				killGroup(group)
			}
		}
	}
}
