package observe

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestQuote(t *testing.T) {
	data := map[string][]byte{
		"TOKEN": []byte("s3cr3t-token\n"), "LONGER": []byte("s3cr3t-token-2"), "LEVEL": []byte("1"), "CURRENCY": []byte("EUR"),
		"CERT": []byte("-----BEGIN-----\nMIIBsecret\n-----END-----\n"), "EMPTY": nil,
	}
	for _, tt := range []struct{ name, text, want string }{
		{"the last line", "Traceback:\n  File x\nValueError: bad\n\n", "ValueError: bad"},
		{"nothing", " \n", ""},
		{"a value", "cannot log in with s3cr3t-token at db", "cannot log in with *** at db"},
		{"a value that begins another", "s3cr3t-token-2", "***"},
		{"a line of a value", "bad key MIIBsecret", "bad key ***"},
		{"a short value alone", "exit 1: level=1, EUR", "exit ***: level=***, ***"},
		{"a short value in a word", "line 12 of EUROPE", "line 12 of EUROPE"},
		{"a line of a structured log", `{"time":"…","level":"ERROR","msg":"init failed","error":"no s3cr3t-token"}`, "init failed: no ***"},
		{"only a message", `{"level":"ERROR","msg":"out of luck"}`, "out of luck"},
		{"only an error", `{"err":"out of luck"}`, "out of luck"},
		{"what only looks like one", `{"a": s3cr3t-token`, `{"a": ***`},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, NewMask(data).Quote(tt.text)) })
	}
}

func TestQuoteIsCutAfterHiding(t *testing.T) {
	secret := strings.Repeat("abcdé", 40)
	mask := NewMask(map[string][]byte{"K": []byte(secret)})
	quote := mask.Quote(strings.Repeat("é", 100) + " " + secret + strings.Repeat(" and more", 20))
	require.LessOrEqual(t, len(quote), maxQuote)
	require.True(t, utf8.ValidString(quote))
	require.NotContains(t, quote, "abcd")
	require.True(t, strings.HasSuffix(quote, "…"))
}
