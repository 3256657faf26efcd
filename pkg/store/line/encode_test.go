package line

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
)

func point(fields map[string]any, tags map[string]string) store.Measurement {
	return store.Measurement{Name: "m", Fields: fields, Tags: tags, Time: time.Unix(1, 2)}
}

func TestPoints(t *testing.T) {
	for name, c := range map[string]struct {
		m    store.Measurement
		want string
	}{
		"types stay as they are": {
			point(map[string]any{"int": json.Number("9223372036854775807"), "float": json.Number("1.0"), "large": json.Number("1e300"),
				"text": "a", "yes": true}, nil),
			`m float=1,int=9223372036854775807i,large=1e+300,text="a",yes=true 1000000002`},
		"tags in order, without empty ones": {
			point(map[string]any{"f": false}, map[string]string{"b": "2", "a": "1", "c": ""}),
			`m,a=1,b=2 f=false 1000000002`},
		"escapes": {
			store.Measurement{Name: "a b,c=d\n", Fields: map[string]any{"x y,=": `say "\n"`},
				Tags: map[string]string{"k =,": "v =,\\d"}, Time: time.Unix(0, 0)},
			`a\ b\,c=d\n,k\ \=\,=v\ \=\,\d x\ y\,\=="say \"\\n\"" 0`},
		"one line, whatever a text has": {
			point(map[string]any{"f": "a\"\nm,runtime=other f=1 1\nz f=\""}, nil), `m f="a\"\nm,runtime=other f=1 1\nz f=\"" 1000000002`},
		"before 1970": {
			store.Measurement{Name: "m", Fields: map[string]any{"f": json.Number("0")}, Time: time.Unix(-1, 0)},
			`m f=0i -1000000000`},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := encode(c.m)
			require.NoError(t, err)
			require.Equal(t, c.want+"\n", string(line))
			require.Equal(t, len(line), pointEnd(line))
		})
	}
}

func TestPointsThatCannotBeSent(t *testing.T) {
	for want, m := range map[string]store.Measurement{
		`fields: "n": 9223372036854775808 is not an integer of 64 bits`:    point(map[string]any{"n": json.Number("9223372036854775808")}, nil),
		`fields: "n": 1e999 is not a floating-point number of 64 bits`:     point(map[string]any{"n": json.Number("1e999")}, nil),
		`fields: "n": it is not a number, a string or a boolean`:           point(map[string]any{"n": nil}, nil),
		`fields: a name is empty`:                                          point(map[string]any{"": true}, nil),
		`tags: a name is empty`:                                            point(map[string]any{"n": true}, map[string]string{"": "x"}),
		`time: the year 1600 is not between 1678 and 2261`:                 {Name: "m", Time: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)},
		`name: a name is empty`:                                            {},
		`name: "#m": the line protocol reads no name that begins with #`:   {Name: "#m"},
		`name: "\tm": the line protocol reads no name`:                     {Name: "\tm"},
		`tags: "t": the line protocol cannot carry a backslash at the end`: point(map[string]any{"n": true}, map[string]string{"t": `C:\`}),
		`name: "a\\,": the line protocol cannot carry a backslash`:         {Name: `a\,`},
	} {
		_, err := encode(m)
		require.ErrorContains(t, err, want)
	}
}

// FuzzPoint: whatever is accepted is one point.
func FuzzPoint(f *testing.F) {
	f.Add("m", "tag", "value", "field", "text")
	f.Add(`a" \b`, "t=\n", `"`, `f"=,`, "a\nb\" c=1 2\\")
	f.Add(`"`, `=`, `\x`, `a="`, `\`)
	f.Fuzz(func(t *testing.T, name, tag, value, field, text string) {
		line, err := encode(store.Measurement{Name: name, Tags: map[string]string{tag: value},
			Fields: map[string]any{field: text, field + "x": json.Number("1")}, Time: time.Unix(1, 0)})
		if err != nil {
			return
		}
		two := append(line, "m f=1 1\n"...)
		require.Equal(t, len(line), pointEnd(two), "%q", line)
		require.NotContains(t, "#\t\x00", line[:1])
	})
}

func TestHalves(t *testing.T) {
	b := &batch{lines: []byte("m f=\"a b\" 1\nm f=2 2\nm f=3 3\n"), points: 3}
	b.size = len(b.lines)
	first, second := b.halves()
	require.Equal(t, "m f=\"a b\" 1\n", string(first.lines))
	require.Equal(t, "m f=2 2\nm f=3 3\n", string(second.lines))
	require.Equal(t, []int{1, 2, b.size}, []int{first.points, second.points, first.size + second.size})
	_, none := first.halves()
	require.Nil(t, none)
}

// Responses as InfluxDB 1.6, 2.7 and others send them.
func TestResponses(t *testing.T) {
	b := &batch{points: 10, lines: []byte("mm value=1i 1\nm,a=b other=1i,value=2.5 1\nm value=3i 1\n")}
	for name, c := range map[string]struct {
		status int
		body   string
		want   outcome
	}{
		"written": {204, ``, outcome{verdict: taken}},
		"conflict": {400, `{"error":"partial write: field type conflict: … dropped=2"}`,
			outcome{taken, 2, "partial write: field type conflict: … dropped=2"}},
		"conflict in InfluxDB 2": {422, `{"code":"unprocessable entity","message":"failure writing points: partial write: … dropped=1"}`,
			outcome{taken, 1, "failure writing points: partial write: … dropped=1"}},
		"beyond the retention policy": {400, `{"error":"partial write: points beyond retention policy dropped=3"}`,
			outcome{taken, 3, "partial write: points beyond retention policy dropped=3"}},
		"lines that cannot be parsed": {400, `{"error":"partial write: unable to parse 'm': x\nunable to parse 'n': x dropped=0"}`,
			outcome{taken, 2, "partial write: unable to parse 'm': x\nunable to parse 'n': x dropped=0"}},
		"refused as a whole":  {400, `{"error":"unexpected"}`, outcome{taken, 10, "unexpected"}},
		"too large":           {413, `{"error":"Request Entity Too Large"}`, outcome{verdict: tooLarge, reason: "Request Entity Too Large"}},
		"no database":         {404, `{"error":"database not found: \"x\""}`, outcome{verdict: noSuchOne, reason: `database not found: "x"`}},
		"timeout":             {500, `{"error":"timeout"}`, outcome{verdict: again, reason: "timeout"}},
		"a proxy's own reply": {502, `<html>`, outcome{verdict: again, reason: "status 502 Bad Gateway"}},
		"too many requests":   {429, ``, outcome{verdict: again, reason: "status 429 Too Many Requests"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, judge(c.status, []byte(c.body), b))
		})
	}
	c, ok := conflictOf(`partial write: field type conflict: ` +
		`input field "value" on measurement "m" is type float, already exists as type integer dropped=2`)
	require.True(t, ok)
	require.Equal(t, "m,a=b other=1i,value=2.5 1", pointOf(b, c))
	require.False(t, strings.Contains(pointOf(b, c), "\n"))
}
