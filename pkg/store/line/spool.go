package line

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// suffix is that of the files of a spool; files that are being written have another.
const suffix = ".lines"

// spool is a folder with one file for each batch. Its name is the batch's number, in the
// order in which they were written, and how many points it has.
type spool struct {
	folder string
	last   uint64
}

// openSpool makes the folder if there is none, and returns what an earlier process has
// left there.
func openSpool(folder string) (*spool, []*batch, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, nil, err
	}
	s := &spool{folder: folder}
	var left []*batch
	for _, entry := range entries { // in the order of their names
		info, err := entry.Info()
		number, points, ok := parseName(entry.Name())
		if err != nil || !ok || !info.Mode().IsRegular() {
			continue
		}
		s.last = max(s.last, number)
		left = append(left, &batch{points: points, size: int(info.Size()), file: entry.Name()})
	}
	return s, left, nil
}

func parseName(name string) (number uint64, points int, ok bool) {
	name, ok = strings.CutSuffix(name, suffix)
	first, second, dash := strings.Cut(name, "-")
	number, err := strconv.ParseUint(first, 10, 64)
	points, err2 := strconv.Atoi(second)
	return number, points, ok && dash && err == nil && err2 == nil && points > 0
}

// write writes the lines of b and returns the file's name.
func (s *spool) write(b *batch) (string, error) {
	s.last++
	name := fmt.Sprintf("%020d-%d%s", s.last, b.points, suffix)
	path := filepath.Join(s.folder, name)
	err := os.WriteFile(path+".part", b.lines, 0o600)
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		s.remove(name + ".part")
		return "", fmt.Errorf("measurements cannot be kept in a file: %w", err)
	}
	return name, nil
}

// read returns the lines of a file. A machine that stopped may have left a part of it.
func (s *spool) read(name string) ([]byte, error) {
	lines, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || !bytes.HasSuffix(lines, []byte("\n")) {
		return nil, errors.New("the file is not whole")
	}
	return lines, nil
}

// remove removes a file; one that cannot be removed is overwritten or sent again.
func (s *spool) remove(name string) { _ = os.Remove(filepath.Join(s.folder, name)) }

// close removes the folder, unless there are files in it.
func (s *spool) close() { _ = os.Remove(s.folder) }

// spools returns the names of the databases that have a spool in folder.
func spools(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var databases []string
	for _, entry := range entries {
		if entry.IsDir() {
			databases = append(databases, entry.Name())
		}
	}
	slices.Sort(databases)
	return databases, err
}
