package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"krt.dev/kn-krt/pkg/gobuild"
)

// buildsAtOnce bounds the go commands that run side by side: each uses all
// processors itself, and on a cold cache two compile the same packages twice.
const buildsAtOnce = 2

// builder compiles Go nodes.
type builder struct {
	state  *state
	report Reporter
	serial atomic.Int64
	carry  func() ([]gobuild.SDK, error)
}

func newBuilder(s *state, r Reporter) *builder {
	carry := func() ([]gobuild.SDK, error) { return gobuild.Carry(s.path("sdk")) }
	return &builder{state: s, report: r, carry: sync.OnceValues(carry)}
}

// build compiles the targets of nodes and returns a binary for each node. All
// that do not compile are told of.
func (b *builder) build(ctx context.Context, nodes map[string]gobuild.Target) (map[string]string, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	gocmd, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("cannot build node %q: %w", sortedKeys(nodes)[0], gobuild.ErrNoGo)
	}
	byTarget := map[gobuild.Target][]string{}
	for _, node := range sortedKeys(nodes) {
		byTarget[nodes[node]] = append(byTarget[nodes[node]], node)
	}
	var (
		mu       sync.Mutex
		errs     []error
		binaries = map[string]string{}
		group    errgroup.Group
	)
	group.SetLimit(buildsAtOnce)
	for t, sharing := range byTarget {
		group.Go(func() error {
			binary, err := b.one(ctx, gocmd, sharing[0], t)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
			for _, node := range sharing {
				binaries[node] = binary
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no errors
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return binaries, errors.Join(errs...)
}

// one compiles t and returns the path of a binary that later builds leave alone.
func (b *builder) one(ctx context.Context, gocmd, node string, t gobuild.Target) (string, error) {
	sdks, err := b.carry()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(t.Folder + "\x00" + t.Pattern))
	key := node + "-" + hex.EncodeToString(sum[:4])
	serial := strconv.FormatInt(b.serial.Add(1), 10)
	folder := filepath.Join(b.state.run(), "build", key+"-"+serial)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("cannot build node %q: %w", node, err)
	}
	flags, err := gobuild.BuildFlags(ctx, sdks, t, folder)
	if err != nil {
		return "", fmt.Errorf("cannot build node %q: %w", node, err)
	}
	b.report.Event(Event{Type: EventBuilding, Node: node})
	// The same output each time: the go command leaves it as it is, and does not
	// link, when nothing has changed since the last run.
	output := b.state.path("bin", key)
	args := slices.Concat([]string{gocmd, "build", "-buildvcs=false", "-o", output}, flags, []string{t.Pattern})
	if err := b.compile(ctx, node, t, args); err != nil {
		return "", err
	}
	if info, err := os.Stat(output); err != nil || info.Mode().Perm()&0o100 == 0 {
		return "", fmt.Errorf("cannot build node %q: %s in %s is not a main package", node, t.Pattern, t.Folder)
	}
	// A running node keeps its binary, and can be started again from it, while
	// the next one is built.
	binary := filepath.Join(folder, node)
	if err := os.Link(output, binary); err != nil {
		return "", fmt.Errorf("cannot build node %q: %w", node, err)
	}
	return binary, nil
}

// compile runs the go command. Its downloads are shown as they go on.
func (b *builder) compile(ctx context.Context, node string, t gobuild.Target, args []string) error {
	env, remove, err := gobuild.Scratch(gobuild.Environ(os.Environ(), runtime.GOOS, runtime.GOARCH))
	if err != nil {
		return fmt.Errorf("cannot build node %q: %w", node, err)
	}
	defer remove()
	var mu sync.Mutex
	var output []string
	p, err := launch(command{
		args: args,
		dir:  t.Folder,
		env:  env,
		line: func(stream, line string) {
			if strings.HasPrefix(line, "go: downloading ") {
				b.report.Line(node, stream, line)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if len(output) < gobuild.MaxOutput {
				output = append(output, line)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("cannot build node %q: %w", node, err)
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
		<-p.Done()
		return context.Cause(ctx)
	}
	if p.State().Success() {
		return nil
	}
	return gobuild.Failed(node, t, output)
}
