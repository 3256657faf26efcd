package remote

import (
	"bytes"
	"strings"
	"sync"

	"github.com/spf13/cobra"

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
		there := *c
		there.Client, there.explicit = c.In(from.Namespace), true
		lines := &lineWriter{log: from.Log}
		defer lines.flush()
		create := createOptions{
			streams: term.Streams{In: strings.NewReader(""), Out: lines, Err: lines}, program: c.program, path: from.Path, images: o.images,
		}
		var name string
		err := there.Hint(create.opened(cmd, func(b *krt.Bundle) error {
			name = b.Manifest.Version
			return create.createOn(cmd, &there, b)
		}))
		if err == nil {
			return name, nil
		}
		return "", &source.RefusedError{Text: err.Error(), Next: term.HintOf(err)}
	}}
}

// lineWriter passes on lines as they become complete.
type lineWriter struct {
	log func(line string)

	mu   sync.Mutex
	rest []byte
}

// maxLine is after how many bytes a line is passed on though it has not ended.
const maxLine = 8 << 10

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		line, after, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			break
		}
		w.pass(line)
		w.rest = after
	}
	if len(w.rest) > maxLine {
		w.pass(w.rest)
		w.rest = nil
	}
	return len(p), nil
}

func (w *lineWriter) pass(line []byte) {
	if len(bytes.TrimSpace(line)) > 0 {
		w.log(string(line))
	}
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(w.rest)
	w.rest = nil
}
