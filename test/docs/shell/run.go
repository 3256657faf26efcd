package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/test/docs/page"
)

// Machine is where pages run.
type Machine struct {
	// Environment is all that the shell has, without HOME and TMPDIR.
	Environment []string
	// Wrap comes before the shell: a command that runs another one.
	Wrap []string
	// Files are folders that a page finds in its own by their names.
	Files []string
	// Within bounds a page.
	Within time.Duration
}

// grace is how long a page's processes have to end when its time is over.
const grace = 5 * time.Second

// Run executes the blocks of a page that are for how, [page.Run] or [page.Cluster], in a folder that is
// empty but for the machine's files, below temp. It returns the number of blocks that were executed or
// compared. The error names the block that failed, with its commands and its output.
func (m Machine) Run(ctx context.Context, p *page.Page, how page.How, temp string) (count int, err error) {
	steps, err := m.stepsOf(ctx, p, how)
	if err != nil || len(steps) == 0 {
		return 0, err
	}
	log := func(i int) string { return filepath.Join(temp, fmt.Sprintf("background-%d.log", i)) }
	printed, err := m.shell(ctx, script(steps, log), temp)
	outputs, last, ended := split(printed)
	if err == nil && !ended {
		err = errors.New("the shell ended before the page")
	}
	if err != nil {
		return 0, failure(steps, max(last, 0), outputs[last], err)
	}
	background := ""
	for i, s := range steps {
		switch {
		case s.How == page.Background:
			text, err := os.ReadFile(log(i))
			if err != nil {
				return 0, err
			}
			background += string(text)
			last = i
		case s.How != page.Output:
			last = i
		case !Matches(outputs[last], s.Text) && !Matches(background, s.Text):
			return 0, fmt.Errorf("%s: this is not in the output of %s:\n%s\nwhich is:\n%s%s",
				s.At(), steps[last].At(), s.Text, outputs[last], background)
		}
	}
	return len(steps), nil
}

// stepsOf are the blocks of a page that are for how; none if all of them are files.
func (m Machine) stepsOf(ctx context.Context, p *page.Page, how page.How) (steps []step, err error) {
	executed, left := false, false
	for _, b := range p.Blocks {
		marker, err := b.Marker()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At(), err)
		}
		if !takes(how, marker) || marker.How == page.Output && (left || len(steps) == 0) {
			continue
		}
		if left, err = m.lacks(ctx, marker.With); err != nil {
			return nil, fmt.Errorf("%s: %w", b.At(), err)
		}
		if left {
			continue
		}
		steps = append(steps, step{b, marker})
		executed = executed || slices.Contains([]page.How{page.Run, page.Background, page.Cluster}, marker.How)
	}
	if !executed {
		return nil, nil
	}
	return steps, nil
}

// lacks reports whether the machine's Python cannot import a module; "" is none. In CI that is an error.
func (m Machine) lacks(ctx context.Context, module string) (bool, error) {
	if module == "" {
		return false, nil
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", `python3 -c "import $0"`, module)
	cmd.Env = m.Environment
	err := cmd.Run()
	if err != nil && os.Getenv("CI") != "" {
		return true, fmt.Errorf("the module %s for Python is missing: %w", module, err)
	}
	return err != nil, nil
}

// shell runs the text of a script and returns what it has printed.
func (m Machine) shell(ctx context.Context, text, temp string) (printed string, err error) {
	folder, home, tmp := filepath.Join(temp, "folder"), filepath.Join(temp, "home"), filepath.Join(temp, "tmp")
	name := filepath.Join(temp, "page.sh")
	for _, dir := range []string{folder, home, tmp} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
	}
	for _, file := range m.Files {
		if err := os.CopyFS(filepath.Join(folder, filepath.Base(file)), os.DirFS(file)); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return "", err
	}
	out, err := os.Create(filepath.Join(temp, "output"))
	if err != nil {
		return "", err
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, m.Within)
	defer cancel()
	args := append(append([]string{}, m.Wrap...), "bash", name)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, out
	cmd.Env = append(append([]string{}, m.Environment...), "HOME="+home, "TMPDIR="+tmp, "PWD="+folder)
	err = child.Run(cmd, grace)
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %s", m.Within)
	}
	all, readErr := os.ReadFile(out.Name())
	// curl -i prints the lines of HTTP as they are; a terminal shows no carriage returns.
	return strings.ReplaceAll(string(all), "\r\n", "\n"), errors.Join(err, readErr)
}

// failure is the error of a step.
func failure(steps []step, number int, output string, err error) error {
	s := steps[number]
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Sys().(syscall.WaitStatus).Signaled() {
		err = fmt.Errorf("exit code %d", exit.ExitCode())
	}
	return fmt.Errorf("%s: %w\n%s\nprinted:\n%s", s.At(), err, strings.TrimRight(s.Text, "\n"), output)
}
