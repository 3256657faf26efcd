package guard

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

// refusal is a page for somebody who is not let in, or not yet.
type refusal struct {
	Title, Text string
	// Home is where to try again: after a link from another site the browser does not send its
	// cookie, but from this page it does. SignIn is where to send a token. Both may be empty.
	Home, SignIn string
	// Go opens Home at once.
	Go bool
	// Command is what to type for a token; it may be empty.
	Command string
}

//go:embed refusal.html
var refusalText string

// writeRefusal writes the page. Its style is in it, because files of the dashboard are behind the
// guard: the policy of the page names that style by its hash, and lets nothing else be loaded.
func writeRefusal(w http.ResponseWriter, status int, r refusal) {
	page := template.Must(template.New("").Parse(refusalText))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+styleHash()+"'; img-src data:; "+
		"frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="kn-krt"`)
	}
	w.WriteHeader(status)
	_ = page.Execute(w, r) // the browser is gone: nobody is left to be told
}

// styleHash is the hash of the page's style, as a Content-Security-Policy has it.
func styleHash() string {
	_, style, _ := strings.Cut(refusalText, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(hash[:])
}
