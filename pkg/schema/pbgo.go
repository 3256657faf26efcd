package schema

import (
	"bytes"
	"compress/gzip"
	"go/scanner"
	"go/token"
	"io"
	"strconv"
	"strings"
)

// maxSerialized bounds a serialized proto in a Go file, in bytes.
const maxSerialized = 4 << 20

// StaleGo returns the proto of which text, a Go file named <proto>.pb.go, was made, if that proto is
// different now; "" if it is not, or if that cannot be determined.
func (s *Schema) StaleGo(text []byte) string {
	var scan scanner.Scanner
	files := token.NewFileSet()
	scan.Init(files.AddFile("", -1, len(text)), text, nil, 0)
	for name := ""; ; {
		_, what, literal := scan.Scan()
		switch {
		case what == token.EOF:
			return ""
		case what == token.IDENT:
			name = literal
		case what != token.ASSIGN:
			name = ""
		case strings.HasSuffix(name, "_rawDesc"):
			return s.stale(goBytes(&scan))
		case strings.HasPrefix(name, "fileDescriptor_"): // before protoc-gen-go 1.20
			zip, err := gzip.NewReader(bytes.NewReader(goBytes(&scan)))
			if err != nil {
				return ""
			}
			serialized, err := io.ReadAll(io.LimitReader(zip, maxSerialized))
			if err != nil {
				return ""
			}
			return s.stale(serialized)
		}
	}
}

// goBytes returns what the expression that follows has, which is "…" + "…", []byte{…} or string([]byte{…});
// nil if it is another one.
func goBytes(scan *scanner.Scanner) (out []byte) {
	for {
		switch _, what, literal := scan.Scan(); what {
		case token.SEMICOLON:
			return out
		case token.STRING:
			text, err := strconv.Unquote(literal)
			if err != nil {
				return nil
			}
			out = append(out, text...)
		case token.INT:
			b, err := strconv.ParseUint(literal, 0, 8)
			if err != nil {
				return nil
			}
			out = append(out, byte(b))
		case token.ADD, token.COMMA, token.LBRACK, token.RBRACK, token.LBRACE, token.RBRACE, token.LPAREN, token.RPAREN, token.IDENT:
		default:
			return nil
		}
	}
}
