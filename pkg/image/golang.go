package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/image/cache"
	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/krt"
)

// endDelay is how long the go command may take to end once it is interrupted.
const endDelay = 5 * time.Second

// goTime bounds one run of the go command, with its downloads: code can be such that compiling it takes for ever.
var goTime = 30 * time.Minute // shorter in tests

// program adds the Go program of n, built or as the bundle has it.
func (s *session) program(ctx context.Context, n krt.Node, b base, c *contents) error {
	file, name, err := s.programFile(ctx, n, b)
	if err != nil {
		return err
	}
	if err := s.addProgram(ctx, c, file, app(name), "program of the node"); err != nil {
		return err
	}
	c.entrypoint = []string{"/" + app(name)}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil //nolint:nilerr // no Go program, or one without build info
	}
	c.packages = append(c.packages, goComponent("stdlib", strings.TrimPrefix(info.GoVersion, "go")))
	for _, d := range info.Deps {
		c.packages = append(c.packages, goComponent(d.Path, d.Version))
	}
	return nil
}

// programFile returns the file of n's program, and its name in the image.
func (s *session) programFile(ctx context.Context, n krt.Node, b base) (file, name string, err error) {
	t, ok := gobuild.TargetOf(s.bundle, n)
	if !ok {
		file, err = s.prebuilt(n, b)
		return file, path.Base(n.Src), err
	}
	file, err = s.compiled(ctx, n, t, b.platform)
	// As ko names it, by the folder: nodes of the same code have the same layer.
	if s.bundle.Kind(n) == krt.KindKo {
		return file, path.Base(t.Pattern), err
	}
	return file, filepath.Base(t.Folder), err
}

// prebuilt returns the program that the bundle has for n, if it runs on b.
func (s *session) prebuilt(n krt.Node, b base) (string, error) {
	file := filepath.Join(s.bundle.Dir, filepath.FromSlash(n.Src))
	static, err := checkProgram(file, b.platform)
	if err != nil {
		return "", fmt.Errorf("%q: %w", n.Src, err)
	}
	if !static {
		s.o.Progress(Event{Type: EventWarning, Node: n.Name, Text: fmt.Sprintf(
			"%q is linked dynamically: it runs only if the base %q has its libraries; build it with CGO_ENABLED=0", n.Src, b.ref.Name())})
	}
	return file, nil
}

// addProgram adds a layer with the program at from, as to. One with the same content is
// compressed once only, ever.
func (s *session) addProgram(ctx context.Context, c *contents, from, to, what string) error {
	type key struct{ from, to string }
	b, err := once(s.memo, key{from, to}, func() (*layer.Blob, error) {
		file, err := os.Open(from)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		sum := sha256.New()
		fmt.Fprintf(sum, "program 1 %q\n", to)
		if _, err := io.Copy(sum, file); err != nil {
			return nil, err
		}
		return s.layers.Blob(ctx, hex.EncodeToString(sum.Sum(nil)), layer.OfProgram(from, to))
	})
	if err == nil {
		c.parts = append(c.parts, part{b, what})
	}
	return err
}

// compiled returns the program of t for the platform, built once for all nodes that have it.
func (s *session) compiled(ctx context.Context, n krt.Node, t gobuild.Target, p v1.Platform) (string, error) {
	type key struct {
		gobuild.Target
		platform string
	}
	return once(s.memo, key{t, p.String()}, func() (string, error) {
		s.o.Progress(Event{Type: EventBuilding, Node: n.Name})
		return s.compile(ctx, n, t, p)
	})
}

func (s *session) compile(ctx context.Context, n krt.Node, t gobuild.Target, p v1.Platform) (string, error) {
	scratch, flags, err := s.goFlags(ctx, t)
	if err != nil {
		return "", err
	}
	env, own := gobuild.Environ(os.Environ(), p.OS, p.Architecture), []string{"-ldflags=-s -w"}
	if s.bundle.Kind(n) == krt.KindKo {
		more, set, err := s.koFlags(env)
		if err != nil {
			return "", err
		}
		own, env = append(own, more...), append(env, set...)
	}
	// The same output each time: the go command leaves it as it is, and does not
	// link, when nothing has changed.
	sum := sha256.Sum256([]byte(t.Folder + "\x00" + t.Pattern + "\x00" + p.String()))
	output := s.cache.Path(cache.Programs, hex.EncodeToString(sum[:16]))
	cache.Used(output, time.Now()) // it may be there, and the go command may leave it
	args := slices.Concat([]string{"build", "-trimpath"}, own, []string{"-buildvcs=false", "-o", output}, flags, []string{t.Pattern})
	if err := s.runGo(ctx, n, t, goRun{args: args, env: append(env, variant(p)...)}); err != nil {
		return "", err
	}
	if info, err := os.Stat(output); err != nil || info.Mode().Perm()&0o100 == 0 {
		return "", fmt.Errorf("%s in %s is not a main package", t.Pattern, t.Folder)
	}
	cache.Used(output, time.Now())
	// A link: another session that builds the same puts a new file in the output's place.
	file := filepath.Join(scratch, "program")
	return file, os.Link(output, file)
}

// goFlags returns the flags by which t is built with the SDK, and the folder of this
// session that they refer to.
func (s *session) goFlags(ctx context.Context, t gobuild.Target) (scratch string, flags []string, err error) {
	if err := s.checkOutside(t); err != nil {
		return "", nil, err
	}
	sdks, err := s.sdks()
	if err != nil {
		return "", nil, err
	}
	if scratch, err = os.MkdirTemp(s.work, "go-"); err != nil {
		return "", nil, err
	}
	flags, err = gobuild.BuildFlags(ctx, sdks, t, scratch)
	return scratch, flags, err
}

// checkOutside refuses modules from outside the bundle: an image holds what its bundle does.
func (s *session) checkOutside(t gobuild.Target) error {
	folder, err := filepath.Rel(s.bundle.Dir, t.Folder)
	if err != nil {
		return err
	}
	outside, err := s.bundle.Outside(filepath.ToSlash(folder))
	if err != nil || len(outside) == 0 {
		return err
	}
	o := outside[0]
	return fmt.Errorf("%s:%d:%d: %s", o.File, o.Line, o.Column, o.Text())
}

// variant is the environment for the processor's variant, which is the least one where the base names none.
func variant(p v1.Platform) []string {
	version := strings.TrimPrefix(p.Variant, "v")
	switch {
	case p.Architecture == "amd64":
		return []string{"GOAMD64=v" + cmp.Or(version, "1")}
	case p.Architecture == "arm" && version != "":
		return []string{"GOARM=" + version}
	}
	return nil
}

// goRun is one run of the go command.
type goRun struct {
	args, env []string
	stdout    io.Writer // nil where what is said there is an error's text
}

// runGo runs the go command for t, for goTime at most. Its downloads are reported as they happen, its errors at the end.
func (s *session) runGo(ctx context.Context, n krt.Node, t gobuild.Target, run goRun) error {
	gocmd, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("%w: install Go (https://go.dev/dl), or build the node elsewhere and set src to the program", gobuild.ErrNoGo)
	}
	env, remove, err := gobuild.Scratch(run.env)
	if err != nil {
		return err
	}
	defer remove()
	limited, cancel := context.WithTimeout(ctx, goTime)
	defer cancel()
	cmd := exec.CommandContext(limited, gocmd, run.args...)
	cmd.Dir, cmd.Env = t.Folder, env
	var output []string
	lines := &child.Lines{Each: func(line string) {
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			s.o.Progress(Event{Type: EventDownload, Node: n.Name, Text: strings.TrimPrefix(line, "go: ")})
		case len(output) < gobuild.MaxOutput:
			output = append(output, line)
		}
	}}
	cmd.Stdout, cmd.Stderr = run.stdout, lines
	if cmd.Stdout == nil {
		cmd.Stdout = lines
	}
	err = child.Run(cmd, endDelay) // its compilers end with it
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && limited.Err() != nil:
		return fmt.Errorf("go %s took longer than %s: is the code much larger than it looks, or the module proxy slow?", run.args[0], goTime)
	case errors.As(err, &exit) && len(output) > 0:
		return gobuild.Failed(n.Name, t, output)
	}
	return err
}
