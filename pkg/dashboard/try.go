package dashboard

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/dashboard/form"
	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/trial"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/schema"
)

// maxLive is how many messages of a stream are shown while they come.
const maxLive = 20

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
	// Result is nil if nothing was sent; Path is the page of its request, empty if that is not known.
	Result *trial.Result
	Path   string
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
	caller  *trial.Caller
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
	if t.caller, err = trial.Dial(ctx, address, t.view.Workflow.Method); err != nil {
		release()
		return nil, err
	}
	return func() { t.caller.Close(); release() }, nil
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
	for _, text := range []string{own, schema.Example(t.caller.Input())} {
		if t.message, err = t.caller.Parse([]byte(text)); err == nil {
			break
		}
	}
	if err != nil {
		t.message = dynamicpb.NewMessage(t.caller.Input())
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
	filled := form.Read(t.caller.Input(), t.r.PostForm)
	text := []byte(sent)
	byJSON := do == "fill" || do == "send-json"
	if !byJSON {
		filled.Change(do)
		text = filled.JSON()
	}
	if t.message, err = t.caller.Parse(text); err != nil {
		t.view.Fields, t.view.Cut = filled.Fields()
		t.view.Problem, t.view.JSON = schema.JSONError(text, err), trial.Indented(text)
		return t.view, nil
	}
	if byJSON {
		filled = form.New(t.message)
	}
	t.show(filled)
	if do == "send" || do == "send-json" {
		err = t.call()
	}
	return t.view, err
}

// show fills the view with the message and its fields.
func (t *try) show(f *form.Form) {
	t.view.Fields, t.view.Cut = f.Fields()
	t.view.JSON = t.caller.JSON(t.message, false)
}

// call sends the message. The messages of a stream are shown as they come, if they can be.
func (t *try) call() (err error) {
	var tail trial.Tail
	stream := func(ctx context.Context, _ *request, changed func()) error {
		t.view.Result = t.caller.Stream(ctx, t.message, &tail, changed)
		return nil
	}
	switch {
	case !t.caller.Streams():
		t.view.Result = t.caller.Call(t.r.Context(), t.message)
	case t.r.watch == nil:
		err = stream(t.r.Context(), t.r, func() {})
	default:
		err = t.r.watch(stream, func() fragment {
			return fragment{id: "try-live", template: "try-live", data: tail.Last(maxLive)}
		})
	}
	if t.view.Result != nil { // else it has not been sent
		t.view.Path = t.r.link.Request(t.r.ref, t.view.Result.ID)
	}
	return err
}
