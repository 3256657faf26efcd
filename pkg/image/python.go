package image

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// runnerName is the runner's name in an image: that of cmd/runner, as ko names it.
const runnerName = "runner"

// ErrNoRunner is returned when a Python node's base image has no runner, and there is none to add.
var ErrNoRunner = errors.New("there is no runner for Python nodes")

// python adds what runs the Python node n, and its requirements.
func (s *session) python(ctx context.Context, n krt.Node, b base, more []string, c *contents) error {
	c.env = append(c.env, environment.HandlerPath+"="+n.Src)
	if err := s.runner(ctx, b, c); err != nil {
		return err
	}
	return s.requirements(ctx, n, b, more, c)
}

// runner adds the runner if the base is not an image of it: what ko makes of cmd/runner has
// it as its entrypoint, at ko's place.
func (s *session) runner(ctx context.Context, b base, c *contents) error {
	at := "/" + path.Join(appFolder, runnerName)
	if entrypoint := b.config.Config.Entrypoint; len(entrypoint) > 0 && entrypoint[0] == at {
		c.entrypoint = entrypoint
		return nil
	}
	const advice = "choose a Python base that has it: the image that ko makes of cmd/runner"
	if s.o.Runner.Path == "" {
		return fmt.Errorf("%w, and the base %q has none: %s", ErrNoRunner, b.ref.Name(), advice)
	}
	switch static, err := checkProgram(s.o.Runner.Path, b.platform); {
	case err != nil:
		return fmt.Errorf("%w for the base %q: %q: %w, or %s", ErrNoRunner, b.ref.Name(), s.o.Runner.Path, err, advice)
	case !static:
		return fmt.Errorf("%w for the base %q: %q is linked dynamically: build it with CGO_ENABLED=0, or %s",
			ErrNoRunner, b.ref.Name(), s.o.Runner.Path, advice)
	}
	if err := s.addProgram(ctx, c, s.o.Runner.Path, app(runnerName), "runner"); err != nil {
		return err
	}
	c.entrypoint = slices.Concat([]string{at}, s.o.Runner.Args)
	return nil
}
