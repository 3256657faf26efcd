package release

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"

	"github.com/spf13/cobra/doc"

	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
)

// pages are what is packed next to a program: completions for shells, manual pages and the licence.
func (r *release) pages(ctx context.Context) ([]file, error) {
	licence, err := os.ReadFile(path.Join(r.Root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	files := []file{{name: "LICENSE", content: licence}}
	for shell, name := range map[string]string{
		"bash": "kn-krt.bash", "zsh": "_kn-krt", "fish": "kn-krt.fish", "powershell": "kn-krt.ps1",
	} {
		var out, errs bytes.Buffer
		if code := cli.Main(ctx, []string{"kn-krt", "completion", shell}, term.Streams{Out: &out, Err: &errs}); code != 0 {
			return nil, fmt.Errorf("cannot make the completion for %s: %s", shell, &errs)
		}
		files = append(files, file{name: path.Join("completions", name), content: out.Bytes()})
	}
	manual, err := r.manual()
	return append(files, manual...), err
}

// manual is a page for each command, named as man looks for it.
func (r *release) manual() ([]file, error) {
	dir, err := os.MkdirTemp("", "kn-krt-man-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	header := &doc.GenManHeader{Title: "KN-KRT", Section: "1", Date: &r.epoch, Source: "kn-krt " + r.Version, Manual: "kn-krt"}
	if err := doc.GenManTree(cli.Tree(), header, dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, entry := range entries {
		content, err := os.ReadFile(path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: path.Join("man", "man1", entry.Name()), content: content})
	}
	return files, nil
}
