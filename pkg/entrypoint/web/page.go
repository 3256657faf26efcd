package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageSource string

// Page is the page that shows what a version offers and how to call it.
type Page struct{ template *template.Template }

// NewPage returns the page.
func NewPage() (*Page, error) {
	t, err := template.New("page").Parse(pageSource)
	return &Page{t}, err
}

// View is what the page shows.
type View struct {
	// Name, Namespace and Description are the version's.
	Name, Namespace, Description string
	// Host is what the web port is called with.
	Host string
	// Workflows are the version's workflows.
	Workflows []WorkflowView
	// Protos are the paths of the contract's files.
	Protos []string
}

// WorkflowView is what the page shows of a workflow.
type WorkflowView struct {
	// Name is the workflow's name, RPC the rpc's as package.Service/Method, Path its
	// path over HTTP.
	Name, RPC, Path string
	// Input and Output are the full names of the rpc's messages, Example is an input
	// in JSON.
	Input, Output, Example string
	// Nodes are the names of the workflow's nodes in order.
	Nodes []string
}

// Write responds with the page.
func (p *Page) Write(w http.ResponseWriter, v View) {
	var out bytes.Buffer
	if err := p.template.Execute(&out, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(out.Bytes())
}
