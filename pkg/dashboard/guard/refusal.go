package guard

import (
	_ "embed"
	"html/template"
	"net/http"
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

// writeRefusal writes the page. It has no styles, because files of the dashboard are behind the guard.
func writeRefusal(w http.ResponseWriter, status int, r refusal) {
	page := template.Must(template.New("").Parse(refusalText))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="kn-krt"`)
	}
	w.WriteHeader(status)
	_ = page.Execute(w, r) // the browser is gone: nobody is left to be told
}
