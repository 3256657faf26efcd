package dashboard

import (
	"errors"
	"mime/multipart"
	"net/http"
	"os"
	"syscall"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// errNoPage is the error for a path that no page has.
var errNoPage = errors.New("this dashboard has no such page")

// formError is the error for a form that was not sent as forms are.
type formError struct{ err error }

// Error says what is wrong with it.
func (e *formError) Error() string { return "the form that was sent cannot be read: " + e.err.Error() }

// Unwrap is for errors.Is.
func (e *formError) Unwrap() error { return e.err }

// failure is what an error page shows.
type failure struct {
	Status            int
	Title, Text, Next string
	// Missing are the names of config values that are missing.
	Missing []string
}

// fail writes an error page with the error's own text.
func (d *Dashboard) fail(w http.ResponseWriter, err error) {
	f := explain(err)
	s := d.frame(f.Title)
	s.View = f
	d.write(w, f.Status, "failure", s)
}

// explain finds the status and the title for an error.
func explain(err error) *failure {
	var refused *source.RefusedError
	var unknown *source.NotFoundError
	var unkept *source.NoRequestError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		f := &failure{Text: refused.Text, Next: refused.Next, Missing: refused.Missing}
		f.Status, f.Title = refusal(refused.Refusal)
		return f
	case errors.As(err, &unknown), errors.As(err, &unkept), errors.As(err, new(*source.NoLetterError)), errors.Is(err, errNoPage):
		return &failure{Status: http.StatusNotFound, Title: "Not found", Text: err.Error()}
	case errors.As(err, &large), errors.Is(err, multipart.ErrMessageTooLarge):
		return &failure{Status: http.StatusRequestEntityTooLarge, Title: "Too large", Text: "what was sent is too large"}
	case errors.As(err, new(*formError)) && errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{Status: http.StatusRequestTimeout, Title: "Too slow", Text: "What was sent stopped, or came too slowly. Send it again."}
	case errors.As(err, new(*formError)):
		return &failure{Status: http.StatusBadRequest, Title: "Not a form", Text: err.Error()}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &failure{
			Status: http.StatusInsufficientStorage, Title: "No room",
			Text: "There is no room for what was sent in " + os.TempDir() + ", where the dashboard runs: " + err.Error(),
		}
	}
	return &failure{Status: http.StatusBadGateway, Title: "Cannot read", Text: err.Error()}
}

// inPage is an error as a part of a page. That there is no such version is no part of one: it is
// returned, as the error.
func inPage(err error) (*failure, error) {
	if errors.As(err, new(*source.NotFoundError)) {
		return nil, err
	}
	return explain(err), nil
}

// refusal is the status and the title of a page that shows a refusal.
func refusal(r source.Refusal) (status int, title string) {
	switch r {
	case source.Forbidden:
		return http.StatusForbidden, "Not allowed"
	case source.Unauthorized:
		return http.StatusUnauthorized, "Not signed in"
	case source.Unavailable:
		return http.StatusNotImplemented, "Not available"
	case source.Away:
		return http.StatusServiceUnavailable, "Not reachable"
	case source.Conflict:
	}
	return http.StatusConflict, "Refused"
}
