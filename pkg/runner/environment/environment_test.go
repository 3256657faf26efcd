package environment_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// names are the variables that values set.
func names(values environment.Values) (all []string) {
	values.Each(func(name, _ string) { all = append(all, name) })
	return all
}

func TestEachValueIsSet(t *testing.T) {
	unset := names(environment.Values{})
	if !slices.Equal(unset, []string{environment.WorkflowName, environment.WorkflowID}) {
		t.Errorf("no values set %v", unset)
	}
	var all environment.Values
	value := reflect.ValueOf(&all).Elem()
	for i := range value.NumField() {
		one := environment.Values{}
		switch field := value.Field(i); field.Interface().(type) {
		case string:
			field.SetString("x")
		case bool:
			field.SetBool(true)
		case int, time.Duration:
			field.SetInt(1)
		}
		reflect.ValueOf(&one).Elem().Field(i).Set(value.Field(i))
		text := ""
		one.Each(func(_, value string) { text += value })
		if text == "" {
			t.Errorf("field %s sets nothing", value.Type().Field(i).Name)
		}
	}
	var known []string
	for _, v := range environment.Table() {
		known = append(known, v.Name)
	}
	set := names(all)
	for _, name := range set {
		if !slices.Contains(known, name) {
			t.Errorf("%s is not in the table", name)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(set)))) != len(set) {
		t.Errorf("set twice: %v", set)
	}
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range environment.Table() {
		if v.Meaning == "" || v.Readers == "" || v.Source == "" || seen[v.Name] {
			t.Errorf("%+v", v)
		}
		seen[v.Name] = true
	}
	if v, found := environment.Find(environment.LogLevel); !found || !v.Inherited {
		t.Errorf("the log level is the developer's: %+v", v)
	}
	if _, found := environment.Find("OTHER"); found {
		t.Error("found a variable that is not one of a node's")
	}
}

func TestReading(t *testing.T) {
	for _, c := range []struct {
		read func(getenv func(string) string) (any, error)
		text string
		want any
		err  string
	}{
		{readInt, "", 7, ""},
		{readInt, "3", 3, ""},
		{readInt, "0", 7, `KRT_WORKERS: "0" is not a whole number from 1 to 9`},
		{readInt, "1.5", 7, `KRT_WORKERS: "1.5" is not a whole number from 1 to 9`},
		{readDuration, "", time.Second, ""},
		{readDuration, "1m", time.Minute, ""},
		{readDuration, "-1s", time.Second, `KRT_TIMEOUT: "-1s" is not a positive duration such as "30s"`},
		{readBool, "", false, ""},
		{readBool, "true", true, ""},
		{readBool, "yes", false, `KRT_FORK: "yes" is neither true nor false`},
		{readLevel, "", "INFO", ""},
		{readLevel, "debug", "DEBUG", ""},
		{readLevel, "loud", "INFO", `KRT_LOG_LEVEL: "loud" is not one of debug, info, warn, error`},
	} {
		got, err := c.read(func(string) string { return c.text })
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

func readInt(getenv func(string) string) (any, error) {
	return environment.Int(getenv, environment.Workers, 7, 1, 9)
}

func readDuration(getenv func(string) string) (any, error) {
	return environment.Duration(getenv, environment.Timeout, time.Second)
}

func readBool(getenv func(string) string) (any, error) {
	return environment.Bool(getenv, environment.Fork)
}

func readLevel(getenv func(string) string) (any, error) {
	level, err := environment.Level(getenv)
	return level.String(), err
}
