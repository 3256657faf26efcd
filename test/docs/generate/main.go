// Command generate writes the pages of docs/reference that are made of code. It runs in the repository's root.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/test/docs/reference"
)

func main() {
	for _, p := range reference.Pages() {
		text, err := p.Make(".")
		if errors.Is(err, reference.ErrNoPython) {
			fmt.Fprintf(os.Stderr, "left out %s: %v\n", p.Name, err)
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(reference.Folder, p.Name), []byte(text), 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
			os.Exit(1)
		}
	}
}
