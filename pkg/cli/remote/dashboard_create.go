package remote

import (
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt"
)

// creating lets the dashboard create versions, as the command create does: what that prints are
// the lines of the page. Without a registry there is nowhere to push images to.
func (o *dashboardOptions) creating(cmd *cobra.Command, c *Cluster) dashboard.Creating {
	if o.images.repo() == "" {
		return dashboard.Creating{Reason: "No registry for images is configured. " + howToNameRegistry}
	}
	return dashboard.Creating{Namespace: c.Namespace(), Only: !o.all, Create: func(from dashboard.Creation) (string, error) {
		there := c.at(from.Namespace)
		lines := newLineWriter(from.Log)
		defer lines.flush()
		create := createOptions{
			streams: term.Streams{In: strings.NewReader(""), Out: lines, Err: lines}, program: c.program, path: from.Path, images: o.images,
		}
		var name string
		err := there.Hint(create.opened(cmd, func(b *krt.Bundle) error {
			name = b.Manifest.Version
			return create.createOn(cmd, there, b)
		}))
		if err == nil {
			return name, nil
		}
		return "", &source.RefusedError{Text: err.Error(), Next: term.HintOf(err)}
	}}
}

// maxLine is after how many bytes a line is passed on though it has not ended.
const maxLine = 8 << 10

// lineWriter passes on lines, from several goroutines, as they become complete.
type lineWriter struct {
	mu    sync.Mutex
	lines child.Lines
}

// newLineWriter returns a writer whose lines, without the empty ones, are passed on to log.
func newLineWriter(log func(line string)) *lineWriter {
	return &lineWriter{lines: child.Lines{Most: maxLine, Each: func(line string) {
		if strings.TrimSpace(line) != "" {
			log(line)
		}
	}}}
}

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(p)
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines.Flush()
}
