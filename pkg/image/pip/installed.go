package pip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// directURL is a file of an installed package with its origin, if that was not an index (PEP 610).
	directURL = "direct_url.json"
	// maxRecord bounds what is read of a description of an installed package, in bytes.
	maxRecord = 64 << 20
)

// fromPlace refuses packages in folder that pip took from elsewhere than an index or the bundle's wheels, which were
// laid out in place. Requirements that lead there are refused before; this holds for what was read otherwise.
func fromPlace(folder, place string) error {
	resolved, err := filepath.EvalSymlinks(place)
	if err != nil {
		return err
	}
	infos, err := filepath.Glob(filepath.Join(folder, "*.dist-info"))
	if err != nil {
		return err
	}
	for _, info := range infos {
		text, err := readInstalled(filepath.Join(info, directURL))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var direct struct{ URL string }
		if err == nil {
			err = json.Unmarshal([]byte(text), &direct)
		}
		if err != nil {
			return err
		}
		from, err := url.Parse(direct.URL)
		inside := func(of string) bool {
			return strings.HasPrefix(filepath.Clean(from.Path), filepath.Join(of, laidWheels)+string(filepath.Separator))
		}
		if err != nil || from.Scheme != "file" || !inside(place) && !inside(resolved) {
			return fmt.Errorf("a requirement is installed from %.200q, which is neither an index nor a wheel of the bundle: put its wheel into "+
				"the bundle", direct.URL)
		}
	}
	return nil
}

// readInstalled reads a file of a description of an installed package.
func readInstalled(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRecord+1))
	if err == nil && len(text) > maxRecord {
		err = fmt.Errorf("%s of %s is larger than %d bytes", filepath.Base(name), filepath.Base(filepath.Dir(name)), maxRecord)
	}
	return string(text), err
}

// tidy takes out of an installation what differs from machine to machine, and is of no use
// in an image: scripts that name this machine's interpreter, and where wheels came from.
func tidy(folder string) error {
	if err := os.RemoveAll(filepath.Join(folder, "bin")); err != nil {
		return err
	}
	infos, err := filepath.Glob(filepath.Join(folder, "*.dist-info"))
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := os.RemoveAll(filepath.Join(info, directURL)); err != nil {
			return err
		}
		record := filepath.Join(info, "RECORD")
		text, err := readInstalled(record)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool {
			return strings.HasPrefix(line, "../") || strings.Contains(line, "/"+directURL+",")
		})
		slices.Sort(lines)
		if err := os.WriteFile(record, []byte(strings.Join(lines, "")), 0o600); err != nil {
			return err
		}
	}
	return nil
}
