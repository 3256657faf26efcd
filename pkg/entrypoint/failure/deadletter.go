package failure

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// DeadLetter is the failure that the attributes of a dead letter report. They are
// untrusted text: the data is base64 that may be cut anywhere, and the
// destination may be a channel instead of a node.
func (o Of) DeadLetter(h http.Header, steps []delivery.Step) event.Failure {
	f := event.Failure{
		Code:     code.Code_UNAVAILABLE,
		Reason:   event.ReasonUnavailable,
		Node:     o.nodeAt(h.Get("Ce-Knativeerrordest"), steps),
		Workflow: o.Workflow,
		Version:  o.Version,
	}
	who := "the workflow's channel"
	if f.Node != "" {
		who = fmt.Sprintf("node %q", f.Node)
	}
	text := deadLetterText(h.Get("Ce-Knativeerrordata"))
	f.Text = who + " did not accept the event"
	if status := h.Get("Ce-Knativeerrorcode"); status != "" {
		f.Text = fmt.Sprintf("%s responded with HTTP %s", who, clip.Text(status, 16))
		if f.Node == "" && status == strconv.Itoa(http.StatusRequestEntityTooLarge) {
			f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge
			f.Text = "the message is too large for the workflow's channel, which responded with HTTP 413"
		}
	}
	// A dispatcher that got no response at all reports 500 in the node's name.
	if cause, none := strings.CutPrefix(text, "dispatch error: "); none {
		f.Text, text = who+" cannot be reached", cause
	}
	if text != "" {
		f.Text += ": " + text
	}
	return f
}

// Dead is the failure that the event of a dead letter reports, of a runner or of Knative, and the node whose
// it is.
func (o Of) Dead(h http.Header, steps []delivery.Step) (failed *spb.Status, node string) {
	if own := event.ReadDead(h); own != nil {
		failed = Bound(own)
		_, node = Reason(failed)
		return failed, node
	}
	dead := o.DeadLetter(h, steps)
	return dead.Status(), dead.Node
}

// nodeAt returns the node of the workflow's steps that a destination URL
// names by its host, "<version>-<node>.<namespace>…"; empty when none does.
func (o Of) nodeAt(destination string, steps []delivery.Step) string {
	u, err := url.Parse(destination)
	if err != nil {
		return ""
	}
	service, _, _ := strings.Cut(u.Hostname(), ".")
	for _, s := range steps {
		if service == o.Version+"-"+s.Node {
			return s.Node
		}
		if step, err := url.Parse(s.URL); err == nil && u.Host != "" && step.Host == u.Host {
			return s.Node
		}
	}
	return ""
}

// deadLetterText is the text in knativeerrordata, on one line.
func deadLetterText(data string) string {
	data = strings.TrimRight(clip.Text(data, 2048), "=…")
	if len(data)%4 == 1 { // cut: six bits are not a byte
		data = data[:len(data)-1]
	}
	raw, err := base64.RawStdEncoding.DecodeString(data)
	if err != nil {
		raw = []byte(data)
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(raw), "")), " ")
	if !utf8.ValidString(text) {
		return ""
	}
	return clip.Text(text, 256)
}
