package web

import (
	"io"
	"net/http"
	"time"
)

const (
	// maxDiscard and discardTime bound what is read of a body that is refused because of its size.
	maxDiscard  = 64 << 20
	discardTime = 10 * time.Second
)

// eager reports whether a client sends its whole body before it reads a response. Many do, such as Python's
// urllib: a connection that is closed meanwhile is all that they see.
func eager(r *http.Request) bool { return r.ProtoMajor == 1 && r.Header.Get("Expect") == "" }

// discard reads the rest of a body that is refused because of its size, and reports whether it has come to its
// end. Nothing of it is kept, and nothing counted.
func discard(w http.ResponseWriter, body io.Reader) (whole bool) {
	if counted, ok := body.(*countedBody); ok {
		body = counted.From
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTime))
	n, err := io.Copy(io.Discard, io.LimitReader(body, maxDiscard+1))
	return err == nil && n <= maxDiscard
}

// leaveRest prepares the refusal of a body that is too large.
func (b *Transcoding) leaveRest(w http.ResponseWriter) {
	if !b.eager || b.declared > maxDiscard || !discard(w, b.ReadCloser) {
		closeAfter(w)
	}
}
