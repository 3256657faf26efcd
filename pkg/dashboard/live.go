package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/bound"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/stream"
)

// Bounds of what users have at a time: pages that are open, with a stream each, and bytes that are being
// sent. With the second one, a page may still be as large as any is.
const (
	maxStreams    = 256
	maxOwnStreams = 32
	maxSending    = 64 << 20
	maxOwnSending = 32 << 20
)

// stream serves the events of a page.
func (d *Dashboard) stream(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		leave, err := d.streams.Take(d.user(hr), 1)
		if err != nil {
			refuseStream(w, err)
			return
		}
		defer leave()
		r, err := d.open(hr)
		if err != nil {
			f := explain(err)
			http.Error(w, f.Text, f.Status)
			return
		}
		s := stream.Open(w)
		if hr.Method == http.MethodHead {
			return
		}
		if p.keep != nil {
			r.kept = p.keep()
		}
		refresh := func(ctx context.Context) error { return d.refresh(ctx, r, p, s) }
		err = s.Follow(hr.Context(), p.followers(*r, s), refresh)
		ended := guard.Ended(hr.Context())
		switch { // what is sent is the last, whether it arrives or not
		case ended != nil:
			_ = s.Gone(ended.Error())
		case err != nil && hr.Context().Err() == nil:
			_ = s.Problem(explain(err).Text)
		}
	}
}

// refuseStream responds that too many pages are open.
func refuseStream(w http.ResponseWriter, err error) {
	text, status := tooMany(err)
	w.Header().Set("Retry-After", "30")
	http.Error(w, text, status)
}

// tooMany is why there cannot be one more stream.
func tooMany(err error) (text string, status int) {
	if errors.Is(err, bound.ErrOwn) {
		return "You have as many pages of this dashboard open as one user may have: close some.", http.StatusTooManyRequests
	}
	return "As many pages of this dashboard are open as it can keep up to date.", http.StatusServiceUnavailable
}

// user is the name of a request's user; empty if the dashboard has only one.
func (d *Dashboard) user(r *http.Request) string {
	if d.options.User == nil {
		return ""
	}
	return d.options.User(r)
}

// followers are what the page waits for. They have a request of their own, because refreshing
// changes the other one.
func (p page) followers(r request, s *stream.Stream) []stream.Follower {
	all := []stream.Follower{func(ctx context.Context, changed func()) error { return r.source.Watch(ctx, r.ref, changed) }}
	for _, follow := range p.follow {
		all = append(all, func(ctx context.Context, changed func()) error { return follow(ctx, &r, changed) })
	}
	if p.own != nil {
		all = append(all, func(ctx context.Context, _ func()) error { return p.own(ctx, &r, s.Own) })
	}
	return all
}

// refresh renders the live parts, and sends those that have changed. What the source cannot say
// now is reported on the page, and tried again after the next change.
func (d *Dashboard) refresh(ctx context.Context, r *request, p page, s *stream.Stream) error {
	fragments, err := d.fragments(ctx, r, p)
	var unknown *source.NotFoundError
	switch {
	case errors.As(err, &unknown):
		return s.Gone(err.Error())
	case err != nil:
		return s.Problem(explain(err).Text)
	}
	return d.update(p, s, fragments...)
}

// update sends those parts of the page that have changed.
func (d *Dashboard) update(p page, s *stream.Stream, fragments ...fragment) error {
	parts := make([]stream.Part, len(fragments))
	for i, f := range fragments {
		var html bytes.Buffer
		if err := d.templates[p.name].ExecuteTemplate(&html, f.template, f.data); err != nil {
			return err
		}
		parts[i] = stream.Part{ID: f.id, HTML: html.String(), Key: f.key}
	}
	return s.Update(parts)
}

// errDone is that what is watched has ended.
var errDone = errors.New("done")

// watch runs do, and sends the part of the page each time that it has changed, and again at the end. It
// counts as an open page, and refuses before anything is sent.
func (d *Dashboard) watch(w http.ResponseWriter, r *request, p page, do follower, part func() fragment) (s *stream.Stream, err error) {
	leave, err := d.streams.Take(d.user(r.Request), 1)
	if err != nil {
		text, _ := tooMany(err)
		return nil, &source.RefusedError{Text: text}
	}
	defer leave()
	s = stream.Open(w)
	follow := func(ctx context.Context, changed func()) error {
		return cmp.Or(do(ctx, r, changed), errDone)
	}
	err = s.Follow(r.Context(), []stream.Follower{follow}, func(context.Context) error { return d.update(p, s, part()) })
	if errors.Is(err, errDone) {
		err = nil
	}
	return s, err
}

// finish sends the page, or why there is none, as the last event of a form.
func (d *Dashboard) finish(s *stream.Stream, r *request, p page, view any, err error) {
	var html []byte
	if err = cmp.Or(guard.Ended(r.Context()), err); err == nil {
		html, err = d.render(p.name, d.fill(r, p, view))
	}
	if err != nil {
		_ = s.Gone(explain(err).Text)
		return
	}
	_ = s.Own("page", "", string(html))
}

// fragments are the live parts of the page, as they are now.
func (d *Dashboard) fragments(ctx context.Context, r *request, p page) (parts []fragment, err error) {
	if r.version != nil {
		now, err := r.source.Version(ctx, r.ref)
		if err != nil {
			return nil, err // r.version stays: it is read again after the next change
		}
		r.version = now
		parts = sideFragments(d.side(ctx, r, p))
	}
	if p.live == nil {
		return parts, nil
	}
	view, err := p.view(r)
	if err != nil {
		return nil, err
	}
	return append(parts, p.live(view)...), nil
}
