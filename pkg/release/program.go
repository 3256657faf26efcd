package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// command runs a program in the repository and returns its output, without the newline at its end.
func (r *release) command(ctx context.Context, env []string, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = r.Root, append(os.Environ(), env...), &out, &errs
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// programs builds kn-krt for each platform and packs it with its completions, manual pages and licence.
// The runner of Python nodes is packed for Linux, for people on other systems who build images of nodes.
func (r *release) programs(ctx context.Context) error {
	pages, err := r.pages(ctx)
	if err != nil {
		return err
	}
	for _, platform := range r.Platforms {
		system, arch, _ := strings.Cut(platform, "/")
		program, err := r.build(ctx, system, arch, "kn-krt")
		if err != nil {
			return err
		}
		files := append([]file{{name: "kn-krt" + suffix(system), content: program, mode: 0o755}}, pages...)
		if err := r.pack(system, arch, "kn-krt", files); err != nil {
			return err
		}
		if system != "linux" {
			continue
		}
		runner, err := r.build(ctx, system, arch, "runner")
		if err != nil {
			return err
		}
		if err := r.pack(system, arch, "runner", []file{{name: "runner", content: runner, mode: 0o755}}); err != nil {
			return err
		}
	}
	return nil
}

// suffix is that of programs on a system.
func suffix(system string) string {
	if system == "windows" {
		return ".exe"
	}
	return ""
}

// build compiles a program of cmd/. Its version comes from git: it is that of the tag.
func (r *release) build(ctx context.Context, system, arch, program string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "kn-krt-release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	to := filepath.Join(dir, program)
	env := []string{"GOOS=" + system, "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"}
	if _, err := r.command(ctx, env, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", to, "./cmd/"+program); err != nil {
		return nil, err
	}
	return os.ReadFile(to)
}

// pack writes an archive: .zip for Windows, .tar.gz for the others. The checksum is kept for package managers.
func (r *release) pack(system, arch, program string, files []file) error {
	write, name := tarGz, r.archiveName(program, system, arch)
	if system == "windows" {
		write = zipped
	}
	content, err := write(files, r.epoch)
	if err != nil {
		return err
	}
	if program == "kn-krt" {
		r.sums[system+"/"+arch] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	return r.write(name, content)
}

// archiveName is the name of the archive with a program.
func (r *release) archiveName(program, system, arch string) string {
	name := fmt.Sprintf("%s_%s_%s_%s", program, r.Version, system, arch)
	if system == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}
