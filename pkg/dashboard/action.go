package dashboard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/stream"
)

// Bounds of a form that is sent. A config value may be a file.
const maxForm = 2 << 20

// readOnlyReason is why a dashboard that is read-only refuses. After unknownRights follows why rights could not be asked for.
const readOnlyReason, unknownRights = "This dashboard is read-only.", "What you may do is not known: "

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
	// Weight is the percentage in the form.
	Weight string
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
	if c.Weight == "" && r.version.Share != nil {
		c.Weight = strconv.Itoa(r.version.Share.Weight)
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

// forbidden is why the user cannot do the action, or why that is not known; empty if nothing is known against it.
func forbidden(r *request, a source.Action) (string, error) {
	if r.readOnly {
		return readOnlyReason, nil
	}
	reasons, err := r.source.Rights(r.Context(), r.ref)
	if err != nil && !errors.As(err, new(*source.NotFoundError)) {
		return unknownRights + err.Error(), nil
	}
	return reasons[a], err
}

// nothing is shown where no version is published.
const nothing = "nothing"

// published is what is published in the namespace before and after the action; empty for an action
// that does not change it.
func published(ctx context.Context, r *request, a source.Action) (before, after string, err error) {
	if a != source.Publish && a != source.Promote && a != source.Unpublish && a != source.Rollback {
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
	case source.Publish, source.Promote:
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
			d.ask(w, r, confirmation{Comment: comment, Weight: r.PostForm.Get("weight"), Refused: explain(err)})
			return "", nil
		}
		if action == source.Delete {
			return d.link.Versions(), nil
		}
		return d.link.Page(r.ref, "", "asked", d.receipts.Add(r.ref, actionText(action))), nil
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
	o := source.Order{Ref: r.ref, Action: action, Comment: comment}
	if action == source.Weigh {
		if o.Weight, err = strconv.Atoi(r.PostForm.Get("weight")); err != nil || o.Weight < 0 || o.Weight > 100 {
			return &source.RefusedError{Text: "The weight must be a whole number from 0 to 100."}
		}
	}
	return r.source.Act(r.Context(), o)
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

// form responds to what was sent with the page itself. A browser that asks for events gets what the
// page shows meanwhile, if the form shows anything, and then the page.
func (d *Dashboard) form(p page, do func(*request) (view any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r, err := d.received(w, hr)
		var view any
		var events *stream.Stream
		if err == nil {
			if strings.Contains(hr.Header.Get("Accept"), "text/event-stream") {
				r.watch = func(do follower, part func() fragment) (err error) {
					events, err = d.watch(w, r, p, do, part)
					return err
				}
			}
			view, err = do(r)
		}
		switch {
		case events != nil:
			d.finish(events, r, p, view, err)
		case err != nil:
			d.fail(w, err)
		default:
			d.show(w, r, p, view)
		}
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
