package requirement

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

const (
	// maxWheelFiles and maxWheelBytes bound what a wheel of the bundle unpacks to.
	maxWheelFiles = 200_000
	maxWheelBytes = 16 << 30
	maxMetadata   = 1 << 20
)

// wheelName is a wheel's file name (PEP 427).
var wheelName = regexp.MustCompile(`^[A-Za-z0-9._]+-[A-Za-z0-9._+!]+(-[0-9][A-Za-z0-9._]*)?(-[A-Za-z0-9._]+){3}\.whl$`)

// wheel checks a wheel that the file from names, and returns its path from the bundle's root.
func (r *reader) wheel(from, named string) (string, error) {
	name, err := inBundle(from, named)
	switch {
	case err != nil:
		return "", refused(named, "is a wheel outside of the bundle",
			"put it into the bundle and write its path from this file, such as ./wheels/NAME-1.0-py3-none-any.whl")
	case !wheelName.MatchString(path.Base(name)):
		return "", refused(named, "is not the name of a wheel", "keep the name that it was built with, such as NAME-1.0-py3-none-any.whl")
	}
	file, err := r.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", refused(named, "is not in the bundle", "put it there; the path is taken from the folder of this file")
	case err != nil:
		return "", refused(named, "cannot be read", err.Error())
	}
	defer file.Close()
	if err := checkWheel(file); err != nil {
		return "", refused(named, "is no wheel that can be installed", err.Error())
	}
	return name, nil
}

// checkWheel says what is wrong with a wheel: no archive, too large, or requirements that its index would
// not have allowed: pip fetches and builds what a wheel requires from an address.
func checkWheel(file fs.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	at, ok := file.(io.ReaderAt)
	if !ok {
		return errors.New("it cannot be read")
	}
	archive, err := zip.NewReader(at, info.Size())
	if err != nil {
		return err
	}
	var size uint64
	for n, f := range archive.File {
		if size += min(f.UncompressedSize64, maxWheelBytes); size > maxWheelBytes || n >= maxWheelFiles {
			return fmt.Errorf("it unpacks to more than %d bytes or %d files", int64(maxWheelBytes), maxWheelFiles)
		}
		if path.Base(f.Name) != "METADATA" {
			continue
		}
		if err := checkMetadata(f); err != nil {
			return err
		}
	}
	return nil
}

var requiresPlace = regexp.MustCompile(`(?i)^requires-dist:[^;]*@`)

// checkMetadata refuses requirements of a wheel that name a place.
func checkMetadata(f *zip.File) error {
	content, err := f.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	text, err := io.ReadAll(io.LimitReader(content, maxMetadata+1))
	if err != nil {
		return err
	}
	if len(text) > maxMetadata {
		return fmt.Errorf("its metadata is larger than %d bytes", maxMetadata)
	}
	header, _, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n\n")
	unfolded := strings.NewReplacer("\n ", " ", "\n\t", " ").Replace(header)
	for line := range strings.Lines(unfolded) {
		if requiresPlace.MatchString(line) {
			return fmt.Errorf("it has %.*q, a package from an address of its own: build it with a requirement of the form NAME==VERSION",
				maxShown, strings.TrimSpace(line))
		}
	}
	return nil
}
