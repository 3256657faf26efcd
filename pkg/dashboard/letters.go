package dashboard

import (
	"context"
	"errors"

	"krt.dev/kn-krt/pkg/dashboard/dead"
	"krt.dev/kn-krt/pkg/dashboard/feed"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
)

// lettersPath is below a version.
const lettersPath = "dead-letters"

// lettersView is the list of a version's dead letters.
type lettersView struct {
	*source.Version
	Filter        dead.Filter
	WorkflowNames []string
	Rows          []dead.Row
	// Newest and Older are the paths of other parts of the list; empty if there are none.
	Newest, Older string
	// Done says what was done with letters, and Left what was not.
	Done, Left string
	// Reason is why the user can neither replay nor delete; empty if they can.
	Reason string
	// Problem is why it is not known which there are; nil if it is. Waiting says that it is not known yet.
	Problem *failure
	Waiting bool
}

func lettersPage() page {
	return page{
		name: "letters", path: lettersPath, title: "Dead letters", tab: "Dead letters",
		view: func(r *request) (any, error) { return newLettersView(r) },
		live: func(view any) []fragment {
			if view.(*lettersView).Waiting {
				return nil
			}
			return []fragment{{id: "letters", template: "letters-list", data: view}}
		},
		keep: func() any { return feed.New[letter.Page]() },
		follow: []follower{func(ctx context.Context, r *request, changed func()) error {
			r.kept.(*feed.Feed[letter.Page]).Follow(ctx, r.letters(), changed)
			return nil
		}},
	}
}

// letters reads the dead letters that the query selects.
func (r *request) letters() feed.Reader[letter.Page] {
	of := dead.ParseFilter(r.URL.Query()).Selection()
	return feed.Reader[letter.Page]{Source: r.source, Ref: r.ref, Read: func(ctx context.Context, at *inspection.Client) (letter.Page, error) {
		return port.Client{Port: at}.List(ctx, letter.Dead, of)
	}}
}

func newLettersView(r *request) (*lettersView, error) {
	v := &lettersView{Version: r.version, Filter: dead.ParseFilter(r.URL.Query())}
	for i := range r.version.Workflows {
		v.WorkflowNames = append(v.WorkflowNames, r.version.Workflows[i].Name)
	}
	var now feed.State[letter.Page]
	if kept, ok := r.kept.(*feed.Feed[letter.Page]); ok {
		now = kept.State()
	} else {
		now.Value, now.Err = r.letters().Once(r.Context())
		v.Done = r.receipts.Take(r.ref, r.URL.Query().Get("done"))
		v.Left = r.receipts.Take(r.ref, r.URL.Query().Get("left"))
	}
	v.Rows, v.Waiting = dead.Rows(now.Value), now.Waiting
	if v.Filter.Before != "" {
		v.Newest = r.link.Page(r.ref, lettersPath, "workflow", v.Filter.Workflow)
	}
	if now.Value.Next != "" {
		v.Older = r.link.Page(r.ref, lettersPath, "workflow", v.Filter.Workflow, "before", now.Value.Next)
	}
	var err error
	if now.Err != nil {
		if v.Problem, err = inPage(now.Err); err != nil {
			return nil, err
		}
	}
	v.Reason, err = forbidden(r, source.Letters)
	return v, err
}

// letterView is one letter, or what is about to be done with it or with all of a workflow.
type letterView struct {
	*source.Version
	// Letter is nil if it is about all.
	Letter *dead.Letter
	// RequestPath is the page of its request, which may not be kept any more.
	RequestPath string
	// Left is why the last order was refused, Reason why there can be none.
	Left, Reason string
	// Do is what is about to be done, and Text its word; empty on the page of a letter. Workflow is that of
	// all letters, empty for all of them.
	Do, Text, Workflow string
}

func letterPage() page {
	return page{
		name: "letter", path: lettersPath + "/{request}/{step}", title: "Dead letter", under: "letters",
		view: func(r *request) (any, error) { return newLetterView(r) },
	}
}

// settlePage asks before something is done with a letter, and with all is one for all of them.
func settlePage(all bool) page {
	p := page{
		name: "settle", path: lettersPath + "/{request}/{step}/{do}", title: "Dead letter", under: "letters",
		view:  func(r *request) (any, error) { return newLetterView(r) },
		posts: map[string]func(*request) (string, error){"": settle},
	}
	if all {
		p.path = lettersPath + "/all/{do}"
	}
	return p
}

// letterID is the id of the letter of the path; empty if that is about all.
func (r *request) letterID() string {
	if r.PathValue("request") == "" {
		return ""
	}
	return r.PathValue("request") + "/" + r.PathValue("step")
}

func newLetterView(r *request) (v *letterView, err error) {
	v = &letterView{Version: r.version, Do: r.PathValue("do")}
	v.Text, v.Workflow = dead.Text(v.Do), dead.ParseFilter(r.URL.Query()).Workflow
	id := r.letterID()
	if v.Do != "" && v.Text == "" || id != "" && !dead.IsID(id) {
		return nil, errNoPage
	}
	if v.Reason, err = forbidden(r, source.Letters); err != nil || id == "" {
		return v, err
	}
	read := func(ctx context.Context, at *inspection.Client) (*port.Letter, error) {
		return port.Client{Port: at}.Get(ctx, letter.Dead, id)
	}
	l, err := feed.Reader[*port.Letter]{Source: r.source, Ref: r.ref, Read: read}.Once(r.Context())
	if err != nil {
		return nil, err
	}
	l.ID = id // the links have it
	v.Letter = dead.New(l, r.version)
	v.RequestPath = r.link.Request(r.ref, v.Letter.Request)
	v.Left = r.receipts.Take(r.ref, r.URL.Query().Get("left"))
	return v, nil
}

// settle replays or deletes what the path names, and leads to the list; to the letter, if that is refused.
func settle(r *request) (location string, err error) {
	o := dead.Order{Do: r.PathValue("do"), ID: r.letterID(), Workflow: dead.ParseFilter(r.URL.Query()).Workflow}
	if dead.Text(o.Do) == "" || o.ID != "" && !dead.IsID(o.ID) {
		return "", errNoPage
	}
	switch reason, err := forbidden(r, source.Letters); {
	case err != nil:
		return "", err
	case reason != "":
		return "", &source.RefusedError{Refusal: source.Forbidden, Text: reason}
	}
	done, left := "", ""
	err = r.source.Inspect(r.Context(), r.ref, func(ctx context.Context, at *inspection.Client) (err error) {
		done, left, err = o.Give(ctx, at)
		return err
	})
	at := []string{"workflow", o.Workflow}
	var refused *source.RefusedError
	switch {
	case errors.As(err, &refused) && o.ID != "" && refused.Refusal == source.Conflict:
		return r.link.Page(r.ref, lettersPath+"/"+o.ID, "left", r.receipts.Add(r.ref, refused.Text)), nil
	case err != nil:
		return "", err
	}
	for name, text := range map[string]string{"done": done, "left": left} {
		if text != "" {
			at = append(at, name, r.receipts.Add(r.ref, text))
		}
	}
	return r.link.Page(r.ref, lettersPath, at...), nil
}
