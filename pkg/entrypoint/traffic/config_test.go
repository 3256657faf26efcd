package traffic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/traffic"
)

func TestParse(t *testing.T) {
	for name, one := range map[string]struct{ text, err string }{
		"none":          {`{}`, ""},
		"share":         {`{"canary":{"version":"b","grpc":"b.ns:9000","web":"b.ns:80","weight":10,"sticky":"x-user-id"}}`, ""},
		"no JSON":       {`{`, "cannot read traffic.json: unexpected EOF"},
		"unknown field": {`{"canary":{"wait":1}}`, `cannot read traffic.json: json: unknown field "wait"`},
		"no name":       {`{"canary":{}}`, `cannot use traffic.json: canary "": it has no name`},
		"no address":    {`{"canary":{"version":"b","grpc":"b.ns:9000","web":"b"}}`, `cannot use traffic.json: canary "b": "b" is not host:port`},
		"weight": {
			`{"canary":{"version":"b","grpc":"b:1","web":"b:2","weight":101}}`,
			`cannot use traffic.json: canary "b": weight is 101; it must be a percentage from 0 to 100`,
		},
		"mirror": {
			`{"canary":{"version":"b","grpc":"b:1","web":"b:2","mirror":-1}}`,
			`cannot use traffic.json: canary "b": mirror is -1; it must be a percentage from 0 to 100`,
		},
		"tolerance": {
			`{"canary":{"version":"b","grpc":"b:1","web":"b:2","tolerance":2}}`,
			`cannot use traffic.json: canary "b": tolerance is 2; it must be from 0 to 1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := traffic.Parse([]byte(one.text))
			if one.err == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, one.err)
			require.Nil(t, c.Canary)
		})
	}
}
