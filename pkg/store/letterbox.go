package store

import (
	"fmt"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/letter"
)

// letterRoutes are those of letters: of versions for their own ones, and of owners.
func (s *Server) letterRoutes() []route {
	const one, all = letter.Path + "{kind}/{id...}", letter.Path + "{kind}"
	return []route{
		{"PUT " + one, s.saveLetter, nil},
		{"GET " + one, s.readLetter, []string{"version"}},
		{"DELETE " + one, s.deleteLetter, []string{"version"}},
		{"GET " + all, s.listLetters, []string{"version", "workflow", "before", "limit"}},
		{"DELETE " + all, s.deleteLetters, []string{"version", "workflow"}},
		{"GET " + letter.PathCount, s.countLetters, []string{"version"}},
	}
}

// letters returns what is selected by a request's path and parameters. A version selects among its
// own letters only.
func (s *Server) letters(r request) (of LetterSelection, err error) {
	if s.backends.Letters == nil {
		return of, notKept("letters")
	}
	of = LetterSelection{
		Runtime: r.from.Runtime, Kind: letter.Kind(r.PathValue("kind")),
		Version: r.values.Get("version"), Workflow: r.values.Get("workflow"), ID: r.PathValue("id"),
	}
	if !r.from.Owner {
		if of.Version != "" && of.Version != r.from.Version {
			text := fmt.Sprintf("the letters of the version %.70q are not those of %s", of.Version, r.from.Version)
			return of, &Problem{http.StatusForbidden, text}
		}
		of.Version = r.from.Version
	}
	if of.Kind != "" {
		if err := of.Kind.Check(); err != nil {
			return of, Refuse("%v", err)
		}
	}
	return of, nil
}

// oneLetter is the same for a request of one letter.
func (s *Server) oneLetter(r request) (of LetterSelection, err error) {
	if of, err = s.letters(r); err != nil {
		return of, err
	}
	if of.Version == "" {
		of.Version = r.from.Version
	}
	if of.Version == "" {
		return of, Refuse("version: missing")
	}
	if err := letter.CheckID(of.ID); err != nil {
		return of, Refuse("%v", err)
	}
	return of, nil
}

func (s *Server) saveLetter(r request) (any, error) {
	of, err := s.oneLetter(r)
	if err != nil {
		return nil, err
	}
	var l letter.Letter
	if err := r.decode(&l); err != nil {
		return nil, err
	}
	// Who sends a letter does not choose whose it is.
	l.Kind, l.ID, l.Version, l.Size = of.Kind, of.ID, r.from.Version, int64(len(l.Data))
	now := time.Now().UTC()
	if l.Time.IsZero() {
		l.Time = now
	}
	l.Time = l.Time.UTC()
	l.Expires = expiry(&l, now)
	if err := l.Check(); err != nil {
		return nil, Refuse("%v", err)
	}
	if err := s.boxes.admit(r.Context(), s.backends.Letters, r.from.Runtime, &l); err != nil {
		return nil, err
	}
	return saved{ID: l.ID}, s.backends.Letters.SaveLetter(r.Context(), r.from.Runtime, l)
}

// expiry is when a letter that is put now is gone; zero: a setting says it.
func expiry(l *letter.Letter, now time.Time) time.Time {
	usual, most := time.Duration(0), letter.MaxKept
	switch l.Kind {
	case letter.Result:
		usual = letter.DefaultKept
	case letter.Claim:
		usual, most = letter.ClaimKept, letter.ClaimKept
	}
	switch {
	case l.Expires.IsZero() && usual == 0:
		return time.Time{}
	case l.Expires.IsZero():
		return now.Add(usual)
	case l.Expires.After(now.Add(most)):
		return now.Add(most)
	}
	return l.Expires.UTC()
}

// textFactor is how many bytes a letter's Data takes while it is sent: as it is, and as base64.
const textFactor = 3

func (s *Server) readLetter(r request) (any, error) {
	of, err := s.oneLetter(r)
	if err != nil {
		return nil, err
	}
	return s.backends.Letters.ReadLetter(r.Context(), of, func(size int64) error { return r.reserve(size * textFactor) })
}

func (s *Server) deleteLetter(r request) (any, error) {
	of, err := s.oneLetter(r)
	if err != nil {
		return nil, err
	}
	done, err := s.backends.Letters.DeleteLetters(r.Context(), of, Part{})
	if err == nil && done.Count == 0 {
		err = ErrNoLetter
	}
	return letter.Deleted{Deleted: done.Count}, err
}

// listLetters answers GET /v1/letters/{kind}?version&workflow&before&limit, newest first.
func (s *Server) listLetters(r request) (any, error) {
	of, err := s.letters(r)
	if err != nil {
		return nil, err
	}
	page, _, err := s.listed(r)
	if err != nil {
		return nil, err
	}
	page.Limit, page.Cursor = min(page.Limit, letter.MaxPage), r.values.Get("before")
	found, err := s.backends.Letters.ListLetters(r.Context(), of, page)
	if found.Items == nil {
		found.Items = []letter.Letter{}
	}
	return letter.Page{Letters: found.Items, Next: found.Next}, err
}

// deleteLetters deletes what it can in half the time that a request has: the client goes on.
func (s *Server) deleteLetters(r request) (any, error) {
	of, err := s.letters(r)
	if err != nil {
		return nil, err
	}
	done, err := s.backends.Letters.DeleteLetters(r.Context(), of, Part{Until: time.Now().Add(s.options.QueryTime / 2)})
	return letter.Deleted{Deleted: done.Count, Rest: done.Next != ""}, err
}

func (s *Server) countLetters(r request) (any, error) {
	of, err := s.letters(r)
	if err != nil {
		return nil, err
	}
	counts, err := s.backends.Letters.CountLetters(r.Context(), of)
	if counts == nil {
		counts = []letter.Count{}
	}
	return map[string]any{"counts": counts}, err
}

// refuseLetter is the response to a dead letter, or a claim of one, for which there is no room.
func refuseLetter(l *letter.Letter, limit string) error {
	if l.Kind == letter.Claim {
		return &Problem{http.StatusTooManyRequests,
			fmt.Sprintf("the version %s replays as many dead letters at a time as it may, %s: try again later", l.Version, limit)}
	}
	return Full("the version %[1]s has as many dead letters as it may have, %[2]s: replay or delete some (kn krt dead-letters %[1]s)",
		l.Version, limit)
}
