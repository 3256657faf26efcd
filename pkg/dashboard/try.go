package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/dashboard/form"
	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

const (
	// tryTimeout bounds a call. It is below the time that servers have for a response.
	tryTimeout = 100 * time.Second
	// maxShown is how much of a response is shown, in bytes.
	maxShown = 256 << 10
)

// tryView is the page that calls a workflow.
type tryView struct {
	*source.Version
	Workflow source.Workflow
	Fields   []form.Field
	// Cut says that the message has more fields than are shown.
	Cut bool
	// JSON is the message; Problem is why what was typed is not one.
	JSON, Problem string
	// Failure is why the version cannot be called; nil if it can.
	Failure *failure
	// Reason is why nothing can be sent; empty if it can.
	Reason string
	Result *tryResult
}

// tryResult is what a call has brought.
type tryResult struct {
	Failed bool
	Code   string
	Took   string
	// JSON is the response; Message and Details are of a failure.
	JSON, Message, Details string
	// Shortened is the size of a response of which not all is shown.
	Shortened string
	// ID is the request's, and Path its page; empty if the version has not returned it.
	ID, Path string
	Steps    []event.Step
	Reported bool
}

func tryPage() page {
	return page{
		name: "try", path: "try", title: "Try", tab: "Try", scripts: []string{"try.js"},
		view:  func(r *request) (any, error) { return newTry(r, r.URL.Query().Get("workflow")).open() },
		forms: map[string]func(*request) (any, error){"": func(r *request) (any, error) { return newTry(r, r.PostForm.Get("workflow")).act() }},
	}
}

// try is a call that is being made.
type try struct {
	r       *request
	view    *tryView
	conn    *invocation.Connection
	method  invocation.Method
	message *dynamicpb.Message
}

func newTry(r *request, workflow string) *try {
	t := &try{r: r, view: &tryView{Version: r.version}}
	if r.readOnly {
		t.view.Reason = readOnlyReason
	}
	all := r.version.Workflows
	if i := slices.IndexFunc(all, func(w source.Workflow) bool { return w.Name == workflow }); i >= 0 {
		t.view.Workflow = all[i]
	} else if len(all) > 0 {
		t.view.Workflow = all[0]
	}
	return t
}

// reach connects to the version and reads the messages of the workflow. done ends the connection.
func (t *try) reach() (done func(), err error) {
	ctx, cancel := context.WithTimeout(t.r.Context(), invocation.LookupTimeout)
	defer cancel()
	address, release, err := t.r.source.Reach(t.r.Context(), t.r.ref)
	if err != nil {
		return nil, err
	}
	t.conn, err = invocation.Dial(address, invocation.Credentials{})
	if err == nil {
		done = func() { _ = t.conn.Close(); release() }
		if t.method, err = t.conn.Method(ctx, t.view.Workflow.Method); err == nil {
			return done, nil
		}
		done()
	} else {
		release()
	}
	f := invocation.NewFailure(err)
	return nil, fmt.Errorf("the messages of the workflow cannot be read: %s%s", f.Message, wayIn(f))
}

// wayIn is what to do about a failure to which the page has no credentials.
func wayIn(f invocation.Failure) string {
	if !f.Unauthenticated() {
		return ""
	}
	return ". This page sends no credentials: use 'kn-krt invoke' with --api-key-file or --token-file"
}

// open is the page before anything is sent, with an example.
func (t *try) open() (*tryView, error) {
	done, err := t.reach()
	if err != nil {
		return t.failed(err)
	}
	defer done()
	own := handbook.Example(t.r.Context(), t.r.source, t.r.ref, t.view.Workflow.Name)
	// The author's example may be of another message: of one that was changed while the version runs.
	for _, text := range []string{own, schema.Example(t.method.Desc.Input())} {
		if err = t.parse([]byte(text)); err == nil {
			break
		}
	}
	if err != nil {
		t.message = dynamicpb.NewMessage(t.method.Desc.Input())
	}
	t.show(form.New(t.message))
	return t.view, nil
}

// failed is the page of a version that cannot be called.
func (t *try) failed(err error) (*tryView, error) {
	t.view.Failure, err = inPage(err)
	return t.view, err
}

// act does what the button says: "send" what the fields have, "send-json" or "fill" the fields from
// the JSON, or change the fields.
func (t *try) act() (*tryView, error) {
	done, err := t.reach()
	if err != nil {
		return t.failed(err)
	}
	defer done()
	do, sent := t.r.PostForm.Get("do"), t.r.PostForm.Get("json")
	filled := form.Read(t.method.Desc.Input(), t.r.PostForm)
	text := []byte(sent)
	byJSON := do == "fill" || do == "send-json"
	if !byJSON {
		filled.Change(do)
		text = filled.JSON()
	}
	if err := t.parse(text); err != nil {
		t.view.Fields, t.view.Cut = filled.Fields()
		t.view.Problem, t.view.JSON = schema.JSONError(err), indented(text)
		return t.view, nil
	}
	if byJSON {
		filled = form.New(t.message)
	}
	t.show(filled)
	if do == "send" || do == "send-json" {
		t.call()
	}
	return t.view, nil
}

func (t *try) parse(text []byte) error {
	t.message = dynamicpb.NewMessage(t.method.Desc.Input())
	return protojson.UnmarshalOptions{Resolver: t.method.Types}.Unmarshal(text, t.message)
}

// show fills the view with the message and its fields.
func (t *try) show(f *form.Form) {
	t.view.Fields, t.view.Cut = f.Fields()
	t.view.JSON = t.json(t.message, false)
}

// json is a message as JSON for people.
func (t *try) json(m proto.Message, defaults bool) string {
	text, err := protojson.MarshalOptions{Resolver: t.method.Types, EmitDefaultValues: defaults}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return indented(text)
}

// indented is JSON with stable white space; protobuf-go varies it on purpose.
func indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// call sends the message.
func (t *try) call() {
	ctx, cancel := context.WithTimeout(t.r.Context(), tryTimeout)
	defer cancel()
	response := dynamicpb.NewMessage(t.method.Desc.Output())
	got, err := t.conn.Call(ctx, t.method, invocation.Wish{Trace: true, Inspect: true}, t.message, response)
	r := &tryResult{Took: legible.Spaced(got.Took), ID: got.ID, Steps: got.Steps, Reported: got.Reported}
	t.view.Result = r
	r.Path = t.r.link.Request(t.r.ref, r.ID)
	f := invocation.NewFailure(err)
	if r.Code = f.Code; err != nil {
		r.Failed, r.Message, r.Details = true, f.Message+wayIn(f), f.Details()
		return
	}
	text := t.json(response, true)
	if r.JSON = clip.Text(text, maxShown); r.JSON != text {
		r.Shortened = legible.Bytes(int64(len(text)))
	}
}
