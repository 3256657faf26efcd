package pip

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/requirement"
)

// ID returns a name for all that goes into an installation: the lines that pip is given, and the
// content of the wheels that they name.
func (i Installer) ID(s Set) (string, error) {
	sum, digests := sha256.New(), map[string]string{}
	fmt.Fprintf(sum, "requirements 4 %q %q %q\n", s.Version, s.Platform.String(), s.List.Options)
	for kind, items := range [][]requirement.Item{s.List.Items, s.List.Constraints} {
		for _, item := range items {
			fmt.Fprintf(sum, "%d %q\n", kind, item.Line(path.Base(item.Wheel)))
			if item.Wheel == "" {
				continue
			}
			if digests[item.Wheel] == "" {
				digest, err := i.copyWheel(item.Wheel, io.Discard)
				if err != nil {
					return "", err
				}
				digests[item.Wheel] = digest
			}
			fmt.Fprintf(sum, "%s\n", digests[item.Wheel])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// copyWheel copies a wheel of the bundle and returns the digest of what was copied.
func (i Installer) copyWheel(name string, to io.Writer) (string, error) {
	file, err := i.Bundle.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(sum, to), file)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// laidWheels is where in the folder that pip gets the bundle's wheels are.
const laidWheels = "wheels"

// layOut writes the requirements into folder, for pip, and returns its arguments.
func (i Installer) layOut(s Set, folder string) (args []string, err error) {
	args = slices.Clone(s.List.Options)
	laid := map[string]string{} // wheels by their name in the bundle
	for _, list := range []struct {
		flag, file string
		items      []requirement.Item
	}{{"-r", requirement.File, s.List.Items}, {"-c", "constraints.txt", s.List.Constraints}} {
		if len(list.items) == 0 {
			continue
		}
		var text strings.Builder
		for at, item := range list.items {
			if item.Wheel != "" && laid[item.Wheel] == "" {
				wheel := fmt.Sprintf("./%s/%d/%s", laidWheels, at, path.Base(item.Wheel))
				if err := i.layOutWheel(item.Wheel, filepath.Join(folder, filepath.FromSlash(wheel))); err != nil {
					return nil, err
				}
				laid[item.Wheel] = wheel
			}
			text.WriteString(item.Line(laid[item.Wheel]) + "\n")
		}
		args = append(args, list.flag, list.file)
		if err := os.WriteFile(filepath.Join(folder, list.file), []byte(text.String()), 0o600); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func (i Installer) layOutWheel(name, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = i.copyWheel(name, file)
	return errors.Join(err, file.Close())
}
