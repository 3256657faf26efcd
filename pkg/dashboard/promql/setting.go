package promql

// Usage is the help of a flag with a [Setting].
const Usage = "URL of a Prometheus with the metrics of entrypoints, for numbers and charts (default: they are read from the entrypoints)"

// Setting is a flag's value: the Client of a Prometheus, or nil.
type Setting struct{ Client *Client }

// String is the address without its password.
func (s *Setting) String() string {
	if s.Client == nil {
		return ""
	}
	return s.Client.base.Redacted()
}

// Set reads the value of a flag. An empty text stands for no Prometheus.
func (s *Setting) Set(text string) (err error) {
	s.Client = nil
	if text != "" {
		s.Client, err = New(text)
	}
	return err
}

// Type is what the value of a flag is called.
func (s *Setting) Type() string { return "url" }
