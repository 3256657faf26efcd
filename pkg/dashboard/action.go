package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Bounds of a form that is sent. A config value may be a file.
const maxForm = 2 << 20

// readOnlyReason is why a dashboard that is read-only refuses.
const readOnlyReason = "This dashboard is read-only."

// actionTexts are the words of the buttons, in their order.
var actionTexts = [...]struct {
	action source.Action
	text   string
}{
	{source.Start, "Start"}, {source.Stop, "Stop"}, {source.Publish, "Publish"}, {source.Unpublish, "Unpublish"},
	{source.Restart, "Restart"}, {source.Rollback, "Roll back"}, {source.Delete, "Delete"},
}

// actionText is the action's word; empty if a page has no button for it.
func actionText(a source.Action) string {
	for _, known := range actionTexts {
		if known.action == a {
			return known.text
		}
	}
	return ""
}

// actionButton leads to the page that confirms an action.
type actionButton struct {
	Action     source.Action
	Text, Path string
	// Primary is the action that the state asks for; Minor one that is seldom needed.
	Primary, Minor bool
	// Reason is why the action is not possible; empty if it is.
	Reason string
}

// buttons are the actions of the version's state. The reasons are those of the source.
func (d *Dashboard) buttons(r *request, reasons map[source.Action]string) []actionButton {
	v := r.version
	var all []actionButton
	for _, known := range actionTexts {
		a := known.action
		if !offered(v, a) {
			continue
		}
		b := actionButton{Action: a, Text: known.text, Path: d.link.Action(v.Ref, a)}
		b.Primary = a == source.Start || a == source.Publish
		b.Minor = a == source.Restart || a == source.Rollback || a == source.Delete
		b.Reason = cmp.Or(reasons[a], impossible(v, a))
		if r.readOnly {
			b.Reason = readOnlyReason
		}
		all = append(all, b)
	}
	return all
}

// offered reports whether a version in its state has a button for the action.
func offered(v *source.Version, a source.Action) bool {
	stopped := v.State == source.Stopped || v.State == source.Stopping
	switch a {
	case source.Start:
		return stopped
	case source.Stop, source.Restart:
		return !stopped
	case source.Publish:
		return !v.Published
	case source.Unpublish, source.Rollback:
		return v.Published
	}
	return true
}

// impossible is why the version's state does not allow the action; empty if it does (KRT V1,
// "Version lifecycle"). The source decides; this is for buttons only.
func impossible(v *source.Version, a source.Action) string {
	switch {
	case v.Published && (a == source.Stop || a == source.Delete):
		return "Unpublish it first."
	case a == source.Publish && v.State == source.Stopped:
		return "Start it first."
	case a == source.Publish && v.State != source.Ready && v.State != source.Asleep:
		return "It must be ready first."
	case a == source.Delete && v.State != source.Stopped:
		return "Stop it first."
	}
	return ""
}

// confirmation asks before an action is done.
type confirmation struct {
	*source.Version
	Action source.Action
	Text   string
	// Old and New are what is published before and after; both are empty for actions that change
	// nothing about that. Nothing is "nothing".
	Old, New string
	// Comment is what was typed before, Refused why it was refused.
	Comment string
	Refused *failure
	// Reason is why the action is not possible; then there is nothing to send.
	Reason string
	Max    int
}

// confirm shows what an action is about to do.
func (d *Dashboard) confirm(w http.ResponseWriter, hr *http.Request) {
	r, err := d.open(hr)
	if err != nil {
		d.fail(w, err)
		return
	}
	d.ask(w, r, confirmation{})
}

// ask writes the page that confirms the action of the path.
func (d *Dashboard) ask(w http.ResponseWriter, r *request, c confirmation) {
	c.Version, c.Action, c.Max = r.version, source.Action(r.PathValue("action")), source.MaxComment
	if c.Text = actionText(c.Action); c.Text == "" {
		d.fail(w, errNoPage)
		return
	}
	var err error
	if c.Old, c.New, err = published(r.Context(), r, c.Action); err != nil {
		d.fail(w, err)
		return
	}
	if c.Reason, err = forbidden(r, c.Action); err != nil {
		d.fail(w, err)
		return
	}
	s := d.sheet(r, page{title: c.Text})
	s.View = c
	status := http.StatusOK
	if c.Refused != nil {
		status = c.Refused.Status
	}
	d.write(w, status, "confirm", s)
}

// forbidden is why the user cannot do the action; empty if nothing is known against it.
func forbidden(r *request, a source.Action) (string, error) {
	if r.readOnly {
		return readOnlyReason, nil
	}
	reasons, err := r.source.Rights(r.Context(), r.ref)
	return reasons[a], err
}

// nothing is shown where no version is published.
const nothing = "nothing"

// published is what is published in the namespace before and after the action; empty for an action
// that does not change it.
func published(ctx context.Context, r *request, a source.Action) (before, after string, err error) {
	if a != source.Publish && a != source.Unpublish && a != source.Rollback {
		return "", "", nil
	}
	all, err := r.source.Versions(ctx)
	if err != nil {
		return "", "", err
	}
	before, after = nothing, nothing
	i := slices.IndexFunc(all, func(v source.Version) bool { return v.Namespace == r.ref.Namespace && v.Published })
	if i >= 0 {
		before = all[i].Name
	}
	switch a {
	case source.Publish:
		after = r.ref.Name
	case source.Rollback:
		past, err := r.source.History(ctx, r.ref)
		if err != nil {
			return "", "", err
		}
		i := slices.IndexFunc(past.Publications, func(p source.Publication) bool { return p.Version != before })
		if i >= 0 {
			after = past.Publications[i].Version
		}
	}
	return before, after, nil
}

// act does what the form asks for.
func (d *Dashboard) act(w http.ResponseWriter, hr *http.Request) {
	d.post(func(r *request) (string, error) {
		action := source.Action(r.PathValue("action"))
		if actionText(action) == "" {
			return "", errNoPage
		}
		comment := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("comment"), "\r\n", "\n"))
		err := order(r, action, comment)
		if err != nil {
			d.ask(w, r, confirmation{Comment: comment, Refused: explain(err)})
			return "", nil
		}
		if action == source.Delete {
			return d.link.Versions(), nil
		}
		return d.link.Page(r.ref, "", "asked", d.receipts.add(r.ref, actionText(action))), nil
	})(w, hr)
}

// order asks the source for the action, unless something else is published by now than the user
// has confirmed.
func order(r *request, action source.Action, comment string) error {
	if len(comment) > source.MaxComment {
		return &source.RefusedError{Text: "The comment is too long: at most 1024 bytes are kept."}
	}
	before, after, err := published(r.Context(), r, action)
	if err != nil {
		return err
	}
	if r.PostForm.Get("old") != before || r.PostForm.Get("new") != after {
		return &source.RefusedError{Text: "What is published has changed in the meantime. See below what would be done now."}
	}
	return r.source.Act(r.Context(), source.Order{Ref: r.ref, Action: action, Comment: comment})
}

// post serves a form. The function returns where the browser goes next; nothing if it has written
// a page itself.
func (d *Dashboard) post(do func(*request) (location string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r, err := d.received(w, hr)
		var location string
		if err == nil {
			location, err = do(r)
		}
		switch {
		case err != nil:
			d.fail(w, err)
		case location != "":
			http.Redirect(w, hr, location, http.StatusSeeOther)
		}
	}
}

// form responds to what was sent with the page itself.
func (d *Dashboard) form(p page, do func(*request) (view any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r, err := d.received(w, hr)
		var view any
		if err == nil {
			view, err = do(r)
		}
		if err != nil {
			d.fail(w, err)
			return
		}
		d.show(w, r, p, view)
	}
}

// received reads the form of a request that changes something.
func (d *Dashboard) received(w http.ResponseWriter, hr *http.Request) (*request, error) {
	if d.options.ReadOnly {
		return nil, &source.RefusedError{Refusal: source.Forbidden, Text: readOnlyReason}
	}
	hr.Body = http.MaxBytesReader(w, hr.Body, maxForm)
	var err error
	if strings.HasPrefix(hr.Header.Get("Content-Type"), "multipart/") {
		err = hr.ParseMultipartForm(maxForm)
	} else {
		err = hr.ParseForm()
	}
	if err != nil {
		return nil, &formError{err}
	}
	return d.open(hr)
}
