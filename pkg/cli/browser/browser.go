// Package browser opens links in the browser of the user.
package browser

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// page leads a browser on to a link.
const page = `<!doctype html><meta charset="utf-8"><title>kn-krt</title>
<meta http-equiv="refresh" content="0; url=%[1]s"><p><a href="%[1]s">Open the dashboard</a></p>
`

// Open opens a link in the user's browser. The link is in a file that only the user
// can read: the arguments of programs are seen by all users of a machine. The returned
// function removes the file.
func Open(ctx context.Context, link string) (remove func(), err error) {
	folder, err := os.MkdirTemp("", "kn-krt-")
	if err != nil {
		return func() {}, err
	}
	remove = func() { _ = os.RemoveAll(folder) } // it is in the folder for what is temporary
	file := filepath.Join(folder, "dashboard.html")
	if err := os.WriteFile(file, fmt.Appendf(nil, page, html.EscapeString(link)), 0o600); err != nil {
		return remove, err
	}
	args := []string{"xdg-open", file}
	switch runtime.GOOS {
	case "darwin":
		args[0] = "open"
	case "windows":
		args = []string{"rundll32", "url.dll,FileProtocolHandler", file}
	}
	opener := exec.CommandContext(ctx, args[0], args[1:]...)
	if err := opener.Start(); err != nil {
		return remove, err
	}
	go func() { _ = opener.Wait() }() // what it reports is seen by the user
	return remove, nil
}
