package link

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// traceID is the placeholder in the address of a page of traces.
const traceID = "{traceId}"

// Trace makes links to the page of a trace. The zero value makes none.
type Trace struct{ template string }

// TraceUsage is the help of a flag with a [Trace].
const TraceUsage = "address of a trace's page, such as http://jaeger/trace/" + traceID + ", for links of the dashboard"

// String is the address with its placeholder.
func (l *Trace) String() string { return l.template }

// Set reads the value of a flag.
func (l *Trace) Set(text string) (err error) {
	*l, err = ParseTrace(text)
	return err
}

// Type is what the value of a flag is called.
func (l *Trace) Type() string { return "url" }

// ParseTrace reads the address of the pages of a UI for traces, with {traceId} in the place of
// the trace's id, such as "http://jaeger/trace/{traceId}". An empty text is the zero value.
func ParseTrace(text string) (Trace, error) {
	if text == "" {
		return Trace{}, nil
	}
	u, err := url.Parse(strings.ReplaceAll(text, traceID, strings.Repeat("0", 32)))
	switch {
	case err != nil:
		return Trace{}, fmt.Errorf("%.200q is not a URL", text)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil:
		return Trace{}, fmt.Errorf("%.200q is not the URL of a web page, such as http://jaeger/trace/%s", text, traceID)
	case !strings.Contains(text, traceID):
		return Trace{}, fmt.Errorf("%.200q has no %s, the placeholder for the id of a trace", text, traceID)
	case strings.Contains(u.Host, strings.Repeat("0", 32)):
		return Trace{}, errors.New("the host of the URL must not depend on the trace")
	}
	return Trace{text}, nil
}

// Of is the address of the trace's page; empty if it has none.
func (l Trace) Of(id string) string {
	if decoded, err := hex.DecodeString(id); err != nil || len(decoded) != 16 || l.template == "" {
		return ""
	}
	return strings.ReplaceAll(l.template, traceID, id)
}
