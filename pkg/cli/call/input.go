package call

import (
	"fmt"
	"io"
	"strings"

	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// input is the JSON text of the request, and the credentials that are shown with it.
func (o invokeOptions) input() (text []byte, by invocation.Credentials, err error) {
	if text, err = readRequest(o.streams.In, o.data); err == nil {
		by, err = o.files.read()
	}
	return text, by, err
}

// readRequest returns the JSON text that --data names.
func readRequest(in io.Reader, data string) ([]byte, error) {
	if data == "-" {
		text, err := untrusted.ReadAll(in, "it", maxRequest)
		if err != nil {
			return nil, fmt.Errorf("cannot read the request from standard input: %w", err)
		}
		return text, nil
	}
	if path, ok := strings.CutPrefix(data, "@"); ok {
		text, err := untrusted.ReadPath(path, maxRequest)
		if err != nil {
			return nil, fmt.Errorf("cannot read the request: %w", err)
		}
		return text, nil
	}
	return []byte(data), nil
}
