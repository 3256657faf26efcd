package observe

import (
	"encoding/base64"
	"fmt"
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

func TestQuoteOfACutText(t *testing.T) {
	line := func(n int) string { // of letters that do not repeat within n
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%04d.", i)
		}
		return b.String()
	}
	secret := line(1000)
	mask := NewMask(map[string][]byte{"K": []byte(secret), "Q": []byte("pass\"word\\one\ntwo<three"), "B": []byte("binary-ish\xff\xfe>>>\n")})
	for _, tt := range []struct{ name, text, want string }{
		{"the beginning is missing", secret[2500:] + ": refused", "***: refused"},
		{"the end is missing", "refused: " + secret[:2000], "refused: ***"},
		{"both are missing", secret[500:2500], "***"},
		{"only the last bytes are left", secret[len(secret)-8:] + " is bad", "*** is bad"},
		{"a value is at each end", secret[2500:] + " is not " + secret[:100], "*** is not ***"},
		{"the text is the value", secret, "***"},
		{"ends overlap", secret[4000:] + secret[:4000], "***"},
		{"quoted by Go", fmt.Sprintf("no %q here", "pass\"word\\one\ntwo<three"), `no "***" here`},
		{"quoted in JSON", `no "pass\"word\\one\ntwo\u003cthree" here`, `no "***" here`},
		{"quoted by Python", `no 'pass"word\\one\ntwo<three' here`, `no '***' here`},
		{"in base64", "key " + base64.StdEncoding.EncodeToString([]byte("binary-ish\xff\xfe>>>\n")) + " is", "key *** is"},
		{"in base64 of URLs", "key " + base64.RawURLEncoding.EncodeToString([]byte("binary-ish\xff\xfe>>>")) + " is", "key *** is"},
		{"a quoted value is cut", `{"msg": "pass\"word\\one\n`, `{"msg": "***`},
		{"little of a value stays", "code " + secret[:7], "code " + secret[:7]},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, strings.ReplaceAll(mask.Quote(tt.text), "=", "")) })
	}
	require.Equal(t, "", mask.Quote(""))
	require.Equal(t, "plain text", Mask{}.Quote("plain text"))
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
