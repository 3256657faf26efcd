package bundles_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

// TestGenerations runs nodes of the original's runners up to 1.22, whose handlers
// take and return dicts, alone and with newer ones.
func TestGenerations(t *testing.T) {
	for name, calls := range map[string][]call{
		"generation-a": {{rpc: "main.Entrypoint/Echo", request: `{"word": "ha", "times": 2}`, want: `{"text": "ha-ha"}`}},
		"generation-b": {
			{rpc: "main.Entrypoint/Echo", request: `{"word": "ha", "times": 2}`, want: `{"text": "ha ha"}`},
			{rpc: "main.Entrypoint/Echo", request: `{"word": "ha"}`, want: `{}`},
		},
		"generations": {
			{rpc: "main.Entrypoint/Estimate",
				request: `{"id": "9007199254740993", "rate": 21,
					"rooms": [{"name": "a", "beds": 2}, {"beds": 1}], "kind": "HOTEL", "raw": "/w==", "stars": {"a": 5}}`,
				want: `{"id": "9007199254740993", "price": 63, "beds": 3, "kind": "HOTEL", "raw": "/w==",
					"seen": "int float int str bool", "stars": {"a": 5}}`},
			{rpc: "main.Entrypoint/Estimate", request: `{}`, want: `{"seen": "int float int str bool"}`},
			{rpc: "main.Entrypoint/MakeOffer", request: `{"rate": 20, "rooms": [{"beds": 2}]}`,
				want: `{"price": 20, "beds": 2, "seen": "int float int str bool"}`},
			{rpc: "main.Entrypoint/Estimate", request: `{"urgent": true}`, fails: "error in 'count': nobody is there"},
			{rpc: "main.Entrypoint/Estimate", request: `{"rate": 1, "rooms": [{"beds": 10}]}`,
				fails: "error in 'round': the returned value is not the response of rpc main.Entrypoint/Estimate: " +
					`main.Offer has no field "bed": it has id, price, beds, kind, raw, seen, stars`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			localrun.NeedPython(t)
			v := localrun.Start(t, "cases/"+name)
			for _, c := range calls {
				check(t, v, c)
			}
			require.Zero(t, v.Stop(t), "exit code")
		})
	}
}

func TestValidateSaysTheGeneration(t *testing.T) {
	printed, code := localrun.Command(t, "validate", "-v", "cases/generations")
	require.Zero(t, code, printed)
	for _, line := range []string{
		`note: node "count" exchanges dicts, as runners up to 1.22 (Go: 1.8) did: src/count/main.py:10 returns a dict`,
		`note: node "price" exchanges messages: src/price/main.py:7 unpacks a message`,
		`note: node "round" exchanges dicts, as runners up to 1.22 (Go: 1.8) did: src/round/main.py:3 uses ctx.set_value`,
		`note: node "custom" exchanges dicts, as runners up to 1.22 (Go: 1.8) did: src/custom/main.py returns what it is given`,
	} {
		require.Contains(t, printed, line)
	}
}
