// Package browser tests the dashboard in a real Chromium, as its users see it: with roles, texts
// and keys. A test fails if a page writes an error to the console, throws, or breaks its own
// Content-Security-Policy.
package browser

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/local"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/test/apiserver"
)

var shots = flag.String("shots", "", "write pictures of the pages into this folder, see TestShots")

// The test binary is also kn-krt, with the commands that a local run needs, and a node.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "run" || os.Args[1] == local.RunnerVerb) {
		os.Exit(program())
	}
	if folder := os.Getenv(nodeVariable); folder != "" {
		serveNode(folder)
		return
	}
	apiserver.Main(tests{m}, func(s *apiserver.Server) (func() error, error) {
		kube = s
		return nil, nil
	}, "../../config/300-*.yaml")
}

// tests end the browser after them.
type tests struct{ *testing.M }

func (t tests) Run() (code int) {
	defer chromium.stop()
	return t.M.Run()
}

func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root := &cobra.Command{Use: "kn-krt", SilenceUsage: true}
	root.AddCommand(local.Commands(term.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})...)
	if err := root.ExecuteContext(ctx); err != nil {
		return 1
	}
	return 0
}

// chromium is the browser of all tests: it takes a second or more to start.
var chromium browser

// browser is a process of Chromium.
type browser struct {
	once sync.Once
	ctx  context.Context
	end  context.CancelFunc
	err  error
}

// stop ends the browser if it was started.
func (b *browser) stop() {
	if b.end != nil {
		b.end()
	}
}

// context returns the context of the browser, which is started by the first test that needs it.
// Without Chromium that test is skipped; in CI it fails.
func (b *browser) context(t *testing.T) context.Context {
	t.Helper()
	b.once.Do(b.start)
	if b.err != nil && os.Getenv("CI") == "" {
		t.Skipf("no Chromium: %v", b.err)
	}
	require.NoError(t, b.err)
	return b.ctx
}

func (b *browser) start() {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, b.err = exec.LookPath(name); b.err == nil {
			break
		}
	}
	if b.err != nil {
		b.err = errors.New("none is on the PATH (Debian: apt-get install chromium)")
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.Flag("lang", "en-GB"), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("font-render-hinting", "none"))
	if os.Geteuid() == 0 { // its sandbox refuses to run as root; what it opens is ours
		options = append(options, chromedp.NoSandbox)
	}
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b.ctx, b.end = ctx, func() { _ = chromedp.Cancel(ctx); cancel() }
	b.err = chromedp.Do(ctx)
}
