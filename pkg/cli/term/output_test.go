package term

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrintableJSONMeansTheSame(t *testing.T) {
	const text = "é€ \u200d \x7f \u009b2J \u202e \U000e0001 \U0010ffff \ufffd <&> \x1b\a\r\n\t"
	var out strings.Builder
	require.NoError(t, NewEncoder(&out).Encode(map[string]string{text: text}))
	const want = `"é€ ` + "\u200d" + ` \u007f \u009b2J \u202e \udb40\udc01 \udbff\udfff \ufffd <&> \u001b\u0007\r\n\t"`
	require.Equal(t, "{"+want+":"+want+"}\n", out.String())
	var back map[string]string
	require.NoError(t, json.Unmarshal([]byte(out.String()), &back))
	require.Equal(t, map[string]string{text: text}, back)
}
