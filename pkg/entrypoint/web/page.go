package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/entrypoint/describe"
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
	describe.Version
	// Host is what the web port is called with.
	Host string
	// GRPC is the address of the gRPC port, for a version that runs on this machine.
	// Empty: the version runs on a cluster.
	GRPC string
	// Examples are inputs in JSON, by the name of the workflow.
	Examples map[string]string
	// Protos are the paths of the contract's files.
	Protos []string
}

// Calls are the ways to call a workflow of the version.
func (v View) Calls(w describe.Workflow) []describe.Call {
	return v.Version.Calls(w, describe.Place{Web: v.Host, GRPC: v.GRPC}, v.Examples[w.Name])
}

// Write responds with the page.
func (p *Page) Write(w http.ResponseWriter, v View) {
	var out bytes.Buffer
	if err := p.template.Execute(&out, v); err != nil {
		WriteFailure(w, &spb.Status{Code: int32(code.Code_INTERNAL), Message: err.Error()})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(out.Bytes())
}

// WriteMessage responds with a message as JSON.
func WriteMessage(w http.ResponseWriter, m proto.Message) {
	body, err := protojson.Marshal(m)
	if err != nil {
		WriteFailure(w, &spb.Status{Code: int32(code.Code_INTERNAL), Message: err.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}
