package dashboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// createPages asks for the form, and sends it.
func createPages(t *testing.T, o Options) (form, sent *httptest.ResponseRecorder) {
	t.Helper()
	o.Sources = One(sourcetest.New(source.Version{Ref: source.Ref{Namespace: "homes", Name: "a"}}))
	h := New(o)
	form, sent = httptest.NewRecorder(), httptest.NewRecorder()
	h.ServeHTTP(form, httptest.NewRequest(http.MethodGet, "/create", nil))
	r := httptest.NewRequest(http.MethodPost, "/create", strings.NewReader("--x--\r\n"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	h.ServeHTTP(sent, r)
	return form, sent
}

func TestNothingIsCreatedWhereItCannotBe(t *testing.T) {
	never := func(Creation) (string, error) { return "", fmt.Errorf("called") }
	for reason, o := range map[string]Options{
		readOnlyReason: {ReadOnly: true, Creating: Creating{Create: never}},
		"No registry.": {Creating: Creating{Reason: "No registry."}},
	} {
		form, sent := createPages(t, o)
		require.Contains(t, form.Body.String(), reason)
		require.NotContains(t, form.Body.String(), "<form method=\"post\"")
		require.Equal(t, http.StatusNotImplemented, sent.Code)
		require.Contains(t, sent.Body.String(), reason)
	}
	form, sent := createPages(t, Options{Creating: Creating{Create: never}})
	require.Contains(t, form.Body.String(), `<option value="homes">`)
	require.Equal(t, http.StatusConflict, sent.Code)
}

// sendBundle uploads a bundle as a browser does.
func sendBundle(h http.Handler) *httptest.ResponseRecorder {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("namespace", "homes")
	file, _ := form.CreateFormFile("bundle", "a.krt")
	_, _ = io.WriteString(file, "packed")
	_ = form.Close()
	r := httptest.NewRequest(http.MethodPost, "/create", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestNothingIsLeftOfUploads(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	begun, end := make(chan Creation, 1), make(chan struct{})
	d := New(Options{Sources: One(sourcetest.New()), Creating: Creating{Create: func(c Creation) (string, error) {
		begun <- c
		<-end
		return "", errors.New("interrupted")
	}}})
	require.Equal(t, http.StatusSeeOther, sendBundle(d).Code)
	c := <-begun
	text, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	require.Equal(t, "packed", string(text))
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		d.Close()
	}()
	close(end)
	<-closed
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, http.StatusNotImplemented, sendBundle(d).Code, "it has ended")
}

// A version of a namespace that the dashboard does not show would have no page.
func TestVersionsAreCreatedOnlyInNamespacesThatAreShown(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	creating := Creating{Namespace: "team", Only: true, Create: func(Creation) (string, error) { return "a-1", nil }}
	form, _ := createPages(t, Options{Creating: creating})
	require.Contains(t, form.Body.String(), `maxlength="63" readonly value="team">`)
	require.NotContains(t, form.Body.String(), `<option value="homes">`)

	d := New(Options{Sources: One(sourcetest.New()), Creating: creating})
	sent := sendBundle(d)
	require.Equal(t, http.StatusConflict, sent.Code)
	require.Contains(t, sent.Body.String(), "This dashboard is of the namespace team only.")
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)

	creating.Namespace = "homes"
	d = New(Options{Sources: One(sourcetest.New()), Creating: creating})
	require.Equal(t, http.StatusSeeOther, sendBundle(d).Code)
	d.Close()
}

func TestUploadsAreBounded(t *testing.T) {
	var all creations
	var leave func()
	for range maxUploads {
		var err error
		leave, err = all.enter()
		require.NoError(t, err)
	}
	_, err := all.enter()
	var refused *source.RefusedError
	require.ErrorAs(t, err, &refused)
	leave()
	_, err = all.enter()
	require.NoError(t, err)
}

func TestCreationsAreBounded(t *testing.T) {
	var all creations
	var first *creation
	for i := range maxCreations + 5 {
		c, err := all.begin("homes")
		require.NoError(t, err)
		if i == 0 {
			first = c
		}
		for range maxProgress + 3 {
			c.log("a\x1b[31m line")
		}
		v := c.view()
		require.Len(t, v.Lines, maxProgress)
		require.Equal(t, 3, v.Left)
		require.NotContains(t, v.Lines[0], "\x1b")
		c.change(func() { c.done = true })
	}
	require.Len(t, all.all, maxCreations)
	_, err := all.find(first.id)
	require.ErrorIs(t, err, errNoPage)
	for range maxCreating {
		_, err = all.begin("homes")
		require.NoError(t, err)
	}
	_, err = all.begin("homes")
	var refused *source.RefusedError
	require.ErrorAs(t, err, &refused)
}

// A stalled upload leaves its place, and a full disk is not a source that cannot be read.
func TestUploadsThatFailSayWhy(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := New(Options{Sources: One(sourcetest.New()), Creating: Creating{Create: func(Creation) (string, error) { return "a-1", nil }}})
	for range maxUploads + 1 {
		const begun = "--x\r\nContent-Disposition: form-data; name=namespace\r\n\r\nhomes\r\n--x\r\n" +
			"Content-Disposition: form-data; name=bundle; filename=a.krt\r\n\r\npack"
		r := httptest.NewRequest(http.MethodPost, "/create",
			io.MultiReader(strings.NewReader(begun), iotest.ErrReader(os.ErrDeadlineExceeded)))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		require.Equal(t, http.StatusRequestTimeout, w.Code)
		require.Contains(t, w.Body.String(), "What was sent stopped, or came too slowly.")
	}
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)

	full := explain(fmt.Errorf("copy: %w", &os.PathError{Op: "write", Path: "bundle.krt", Err: syscall.ENOSPC}))
	require.Equal(t, http.StatusInsufficientStorage, full.Status)
	require.Contains(t, full.Text, "There is no room for what was sent in "+os.TempDir())
}
