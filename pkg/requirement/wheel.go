package requirement

import (
	"archive/zip"
	"encoding/binary"
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
	wrong, known := r.wheels[name]
	if !known {
		wrong = r.lookAt(name, named)
		r.wheels[name] = wrong
	}
	return name, wrong
}

// lookAt returns what is wrong with the wheel at name, which a file calls named.
func (r *reader) lookAt(name, named string) error {
	file, err := r.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refused(named, "is not in the bundle", "put it there; the path is taken from the folder of this file")
	case err != nil:
		return refused(named, "cannot be read", err.Error())
	}
	defer file.Close()
	if err := checkWheel(file); err != nil {
		return refused(named, "is not a wheel that can be installed", err.Error())
	}
	return nil
}

// checkWheel returns what is wrong with a wheel: no archive, too large, or requirements that its index would
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
	if err == nil {
		err = oneList(at, info.Size())
	}
	if err != nil {
		return err
	}
	metadata, err := metadataOf(archive.File)
	if err != nil {
		return err
	}
	return checkMetadata(metadata)
}

// metadataOf returns the one METADATA of a wheel, in a folder *.dist-info at its top. Refused are names that Python
// or a file system reads as others than they are here: one of them could be the METADATA that pip sees.
func metadataOf(all []*zip.File) (metadata *zip.File, err error) {
	var size uint64
	for n, f := range all {
		if size += min(f.UncompressedSize64, maxWheelBytes); size > maxWheelBytes || n >= maxWheelFiles {
			return nil, fmt.Errorf("it unpacks to more than %d bytes or %d files", int64(maxWheelBytes), maxWheelFiles)
		}
		if name := strings.TrimSuffix(f.Name, "/"); !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") || renamed(f) {
			return nil, fmt.Errorf("it has a file of the name %.*q, which not all programs read in the same way: build it again", maxShown, f.Name)
		}
		if foreignInfo.MatchString(f.Name) {
			return nil, fmt.Errorf("it would write %.*q, which is metadata of another package: build it without that", maxShown, f.Name)
		}
		if !ownMetadata.MatchString(f.Name) {
			continue
		}
		if metadata != nil {
			return nil, errors.New("it has more than one METADATA: build it again")
		}
		metadata = f
	}
	if metadata == nil {
		return nil, errors.New("it has no file NAME.dist-info/METADATA: build it again")
	}
	return metadata, nil
}

var (
	ownMetadata = regexp.MustCompile(`^[^/]+\.dist-info/METADATA$`)
	// foreignInfo is what pip would install as the description of a package.
	foreignInfo = regexp.MustCompile(`^[^/]+\.data/[^/]+/[^/]+\.dist-info(/|$)`)
)

// unicodePath is the extra field by which a file of a zip archive has a second name (Info-ZIP).
const unicodePath = 0x7075

// renamed reports whether a file of the archive has a second name.
func renamed(f *zip.File) bool {
	for rest := f.Extra; len(rest) >= 4; {
		if binary.LittleEndian.Uint16(rest) == unicodePath {
			return true
		}
		rest = rest[min(len(rest), 4+int(binary.LittleEndian.Uint16(rest[2:]))):]
	}
	return false
}

// requiresPlace is a requirement with an address, in any of its lines.
var requiresPlace = regexp.MustCompile(`(?m)^[^;\n]*@`)

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
	for _, requirement := range requires(string(text)) {
		if requiresPlace.MatchString(requirement) {
			return fmt.Errorf("it has \"Requires-Dist: %.*s\", a package from a URL of its own: build it with a requirement of the "+
				"form NAME==VERSION",
				maxShown, strings.ReplaceAll(requirement, "\n", " "))
		}
	}
	return nil
}

// requires returns what the headers of a wheel's METADATA require. Lines end as for Python's email.parser, and
// within a value, where older pips begin another requirement with each line, as for its str.splitlines.
// Each is a text of one or more lines.
func requires(metadata string) (all []string) {
	header, _, _ := strings.Cut(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(metadata), "\n\n")
	inside := false
	for line := range strings.Lines(header) {
		if line[0] != ' ' && line[0] != '\t' {
			var name string
			name, line, _ = strings.Cut(line, ":")
			inside = strings.EqualFold(name, "Requires-Dist")
			if inside {
				all = append(all, "")
			}
		}
		if !inside {
			continue
		}
		last := &all[len(all)-1]
		for _, part := range strings.FieldsFunc(line, endsLine) {
			*last = strings.TrimSpace(*last + "\n" + strings.TrimSpace(part))
		}
	}
	return all
}

// endsLine reports whether Python's str.splitlines splits at c.
func endsLine(c rune) bool { return strings.ContainsRune("\n\v\f\x1c\x1d\x1e\u0085\u2028\u2029", c) }
