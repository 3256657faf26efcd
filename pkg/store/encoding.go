package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// encoded encodes a response. Documents are JSON that backends have written: they are not
// read again, as encoding/json would.
func encoded(response any) ([]byte, error) {
	found, ok := response.(wire.Found)
	if !ok {
		return Encode(response)
	}
	size := 64 + len(found.Next)
	for _, document := range found.Documents {
		size += len(document) + 1
	}
	body := append(make([]byte, 0, size), `{"documents":[`...)
	for i, document := range found.Documents {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, document...)
	}
	body = append(body, ']')
	if found.Next != "" {
		next, err := json.Marshal(found.Next)
		if err != nil {
			return nil, err
		}
		body = append(append(body, `,"next":`...), next...)
	}
	return append(body, '}'), nil
}

// Decode decodes one JSON value, with its numbers as they are written.
func Decode(data []byte, v any) error { return decode(data, v, false) }

func decode(data []byte, v any, strict bool) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more text after its end")
	}
	return nil
}

// Encode encodes v as JSON, each key once and none escaped that need not be.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
