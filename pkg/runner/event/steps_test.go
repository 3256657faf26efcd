package event

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	etl   = "etl;1714979289123456;12;3400;00f067aa0ba902b7;ok;c"
	model = "model;1714979289130000;0;12000;b7ad6b7169203331;exit"
)

func step(node string) Step {
	return Step{
		Node: node, Start: time.UnixMicro(1714979289123456).UTC(), Wait: 12 * time.Microsecond, Run: 3400 * time.Microsecond,
		SpanID: [8]byte{0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}, Cold: true,
	}
}

func TestSteps(t *testing.T) {
	second := Step{Node: "model", Start: time.UnixMicro(1714979289130000).UTC(), Run: 12 * time.Millisecond, Outcome: OutcomeExit}
	second.SpanID = [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}
	one := Steps("").Append(step("etl"))
	two := one.Append(second)
	if one != etl || two != etl+","+model {
		t.Errorf("got %q", two)
	}
	if got := two.AppendTo(nil); !reflect.DeepEqual(got, []Step{step("etl"), second}) {
		t.Errorf("got %+v", got)
	}
	if last, ok := two.Last(); !ok || last != second {
		t.Errorf("got %+v, %v", last, ok)
	}
	third := second
	third.Parent = step("").SpanID
	for cold, want := range map[bool]Steps{false: model + ";p00f067aa0ba902b7", true: model + ";c;p00f067aa0ba902b7"} {
		third.Cold = cold
		if got := Steps("").Append(third); got != want {
			t.Errorf("got %q", got)
		}
		if last, ok := want.Last(); !ok || last != third {
			t.Errorf("got %+v, %v", last, ok)
		}
	}
	for outcome, text := range map[Outcome]string{OutcomeOK: "ok", OutcomeError: "error", OutcomeExit: "exit", OutcomeReply: "reply"} {
		s := step("a")
		s.Outcome = outcome
		if got, ok := Steps("").Append(s).Last(); !ok || got != s || outcome.String() != text {
			t.Errorf("%s: got %+v, %v", text, got, ok)
		}
	}
}

// TestStepsThatCannotBeWritten: the event goes on without the entry.
func TestStepsThatCannotBeWritten(t *testing.T) {
	for name, change := range map[string]func(*Step){
		"no node":           func(s *Step) { s.Node = "" },
		"a comma":           func(s *Step) { s.Node = "a,b" },
		"a semicolon":       func(s *Step) { s.Node = "a;b" },
		"a line":            func(s *Step) { s.Node = "a\r\nb" },
		"upper case":        func(s *Step) { s.Node = "A" },
		"a long name":       func(s *Step) { s.Node = strings.Repeat("a", 64) },
		"a negative wait":   func(s *Step) { s.Wait = -time.Second },
		"a negative run":    func(s *Step) { s.Run = -time.Second },
		"before 1970":       func(s *Step) { s.Start = time.Unix(-1, 0) },
		"no span":           func(s *Step) { s.SpanID = [8]byte{} },
		"no known outcome":  func(s *Step) { s.Outcome = 9 },
		"a time of no unit": func(s *Step) { s.Start = time.Time{} },
	} {
		s := step("a")
		change(&s)
		if got := Steps(etl).Append(s); got != etl {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestStepsAreBounded(t *testing.T) {
	var s Steps
	for range 40 {
		s = s.Append(step("a"))
	}
	if got := s.AppendTo(nil); len(got) != MaxSteps {
		t.Errorf("%d entries", len(got))
	}
	if got := s.Extend(s+","+etl, "etl"); got != s {
		t.Errorf("got %q", got)
	}
	s = Steps(strings.Repeat(","+etl, maxStepsBytes/len(etl))) // as nobody appends
	if got := s.AppendTo(nil); got != nil {
		t.Errorf("%d entries of one that is too long", len(got))
	}
	if _, ok := s.Last(); ok {
		t.Error("the last entry of one that is too long")
	}
	many := Steps(strings.Repeat("x,", MaxSteps) + etl)
	if got := many.AppendTo(nil); got != nil {
		t.Errorf("got %+v behind %d entries", got, MaxSteps)
	}
	var long Steps
	for range MaxSteps {
		s := step(strings.Repeat("a", maxStepNode))
		s.Outcome, s.Parent = OutcomeReply, s.SpanID
		long = long.Append(s)
	}
	if got := long.AppendTo(nil); len(got) != MaxSteps {
		t.Errorf("the longest of %d entries has %d", MaxSteps, len(got))
	}
}

func TestExtend(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want Steps }{
		"first":                 {"", model, model},
		"second":                {etl, etl + "," + model, etl + "," + model},
		"nothing":               {etl, "", etl},
		"unchanged":             {etl, etl, etl},
		"others forged":         {etl, "etl;1;1;1;00f067aa0ba902b7;error," + model, etl + "," + model},
		"others left out":       {etl, model, etl + "," + model},
		"others left out first": {"", "x,y," + model, model},
		"another node's":        {etl, etl + ",output;1;1;1;00f067aa0ba902b7;ok", etl},
		"malformed":             {etl, etl + ",model;x", etl},
		"another separator":     {etl, etl + ";" + model, etl},
	} {
		if got := c.before.Extend(c.after, "model"); got != c.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestMalformedStepsAreLeftOut(t *testing.T) {
	for _, entry := range []string{
		"", ";", ";;;;;", "etl", "etl;1;2;3;00f067aa0ba902b7", "etl;1;2;3;00f067aa0ba902b7;OK", "etl;1;2;3;00f067aa0ba902b7;ok;",
		"etl;1;2;3;00f067aa0ba902b7;ok;c;c", "etl;1;2;3;00f067aa0ba902b7;ok;x", "etl;-1;2;3;00f067aa0ba902b7;ok",
		"etl;+1;2;3;00f067aa0ba902b7;ok",
		"etl;01;2;3;00f067aa0ba902b7;ok", "etl;1;;3;00f067aa0ba902b7;ok", "etl;1;2;99999999999999999;00f067aa0ba902b7;ok",
		"etl;1;9999999999999999;3;00f067aa0ba902b7;ok", "etl;1;2;3;00F067AA0BA902B7;ok", "etl;1;2;3;0000000000000000;ok",
		"etl;1;2;3;f067aa0ba902b7;ok", "etl;1;2;3;00f067aa0ba902b7;ok;p", "etl;1;2;3;00f067aa0ba902b7;ok;c;p",
		"etl;1;2;3;00f067aa0ba902b7;ok;p0000000000000000", "etl;1;2;3;00f067aa0ba902b7;ok;p00F067AA0BA902B7",
		"etl;1;2;3;00f067aa0ba902b7;ok;p00f067aa0ba902b7;c", "etl;1;2;3;00f067aa0ba902b7;ok;p00f067aa0ba902b7;",
		"etl;1;2;3;00f067aa0ba902b7;ok;c;p00f067aa0ba902b7;x", "etl;1;2;3;00f067aa0ba902b7;ok;00f067aa0ba902b7",
		"ETL;1;2;3;00f067aa0ba902b7;ok", " etl;1;2;3;00f067aa0ba902b7;ok", "etl;1.5;2;3;00f067aa0ba902b7;ok",
	} {
		s := Steps(etl + "," + entry + "," + model)
		if got := s.AppendTo(nil); len(got) != 2 || got[0].Node != "etl" || got[1].Node != "model" {
			t.Errorf("%q: got %+v", entry, got)
		}
		if _, ok := Steps(entry).Last(); ok {
			t.Errorf("%q was read", entry)
		}
	}
}

// TestStepsAttribute: what cannot be used of it fails no event.
func TestStepsAttribute(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  int
	}{
		"none":      {"", 0},
		"two":       {etl + "," + model, 2},
		"oversized": {strings.Repeat(etl+",", 120), 0},
		"encoded":   {strings.ReplaceAll(etl, ";", "%3B"), 0},
		"no ASCII":  {"é," + etl, 1},
		"junk":      {strings.Repeat("\xff", 60<<10), 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			full().WriteHeader(h)
			h["Ce-Krtsteps"] = []string{c.value}
			e, err := ReadHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Steps.AppendTo(nil); len(got) != c.want || len(e.Steps) > maxStepsBytes {
				t.Errorf("got %+v", got)
			}
			if got := ReadSteps(h); got != e.Steps {
				t.Errorf("without the event: got %q", got)
			}
			out := http.Header{}
			e.Next("/s", TypeReply, "m", nil).WriteHeader(out)
			if got := get(out, "Ce-Krtsteps"); Steps(got) != e.Steps && name != "no ASCII" {
				t.Errorf("the next event has %q", got)
			}
		})
	}
}

func TestStepsCostNothingToRead(t *testing.T) {
	s, room := Steps(etl+","+model), make([]Step, 0, 2)
	if n := testing.AllocsPerRun(100, func() { s.AppendTo(room); s.Last(); Steps(etl).Extend(s, "model") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = Steps(etl).Append(step("model")) }); n > 1 {
		t.Errorf("appending: %v allocations", n)
	}
}

func FuzzSteps(f *testing.F) {
	f.Add(etl+","+model, "model")
	f.Add(",,;;", "a")
	f.Add(strings.Repeat(etl+",", 40), "etl")
	f.Add(etl+";p00f067aa0ba902b7,"+model+";p0000000000000000", "etl")
	f.Add("a;1;9223372036854775807;1;00f067aa0ba902b7;reply;c", "a")
	f.Fuzz(func(t *testing.T, text, node string) {
		s := Steps(text)
		steps := s.AppendTo(nil)
		if len(steps) > MaxSteps {
			t.Fatalf("%d entries", len(steps))
		}
		var again Steps
		for _, step := range steps {
			if step.Wait < 0 || step.Run < 0 || step.SpanID == [8]byte{} || !stepNode(step.Node) {
				t.Fatalf("read %+v", step)
			}
			again = again.Append(step)
		}
		if got := again.AppendTo(nil); len(got) != len(steps) || len(got) > 0 && !reflect.DeepEqual(got, steps) {
			t.Fatalf("%+v became %+v", steps, got)
		}
		extended := Steps(etl).Extend(s, node)
		if got := extended.AppendTo(nil); len(got) > 2 || got[0].Node != "etl" || len(got) == 2 && got[1].Node != node {
			t.Fatalf("extended to %q", extended)
		}
	})
}
