package release

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed manager
var managers embed.FS

// packages writes what krew (kubectl krt) and Homebrew (kn krt) read, if it is known from where people download.
func (r *release) packages(context.Context) error {
	if r.URL == "" {
		fmt.Fprintln(r.Log, "Nothing for krew and Homebrew: no address for downloads is given (RELEASE_URL).")
		return nil
	}
	for _, name := range []string{"krt.yaml", "kn-krt.rb"} {
		text, err := fs.ReadFile(managers, "manager/"+name)
		if err != nil {
			return err
		}
		content, err := r.fill(string(text), r.downloads())
		if err != nil {
			return err
		}
		if err := r.write(name, content); err != nil {
			return err
		}
	}
	return nil
}

// download is the archive of a platform.
type download struct{ OS, Arch, URL, Sum, Program string }

func (r *release) downloads() (all []download) {
	for _, platform := range r.Platforms {
		system, arch, _ := strings.Cut(platform, "/")
		all = append(all, download{
			OS: system, Arch: arch, Sum: r.sums[platform], Program: "kn-krt" + suffix(system),
			URL: strings.TrimSuffix(r.URL, "/") + "/" + r.archiveName("kn-krt", system, arch),
		})
	}
	return all
}
