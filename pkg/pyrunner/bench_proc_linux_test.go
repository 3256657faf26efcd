package pyrunner_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// descendants lists the processes below pid.
func descendants(pid int) []int {
	var found []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		if fields := statFields(file); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			found = append(append(found, child), descendants(child)...)
		}
	}
	return found
}

// processCPU returns the CPU time of one process, from its threads' run time in
// nanoseconds.
func processCPU(pid int) (total time.Duration) {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			ns, _ := strconv.ParseInt(fields[0], 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}

// statFields returns what follows the name in /proc/<pid>/stat: state, parent, …
func statFields(file string) []string {
	text, _ := os.ReadFile(file)
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}
