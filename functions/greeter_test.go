package functions_test

import (
	"fmt"
	"testing"

	"krt.dev/kn-krt/test/localrun"
)

func TestGreeter(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "greeter")

	for _, c := range []call{
		{"go", "greeter.Entrypoint/Greet", "go-greeting",
			`{"name": "Ada"}`, `{"greeting": "Hello, Ada!", "greetedBy": "go-greeter"}`},
		{"python", "greeter.Entrypoint/PyGreet", "py-greeting",
			`{"name": "Grace"}`, `{"greeting": "Hello, Grace!", "greetedBy": "py-greeter"}`},
	} {
		t.Run(c.name, func(t *testing.T) { answersAlike(t, v, c) })
		t.Run(c.name+" error", func(t *testing.T) {
			fails(t, v, c.rpc, `{}`, fmt.Sprintf("error in '%s-greeter': no name to greet", c.name[:2]))
		})
		t.Run(c.name+" many", func(t *testing.T) {
			manyAtOnce(t, v, c.rpc, func(i int) (string, string) {
				return fmt.Sprintf(`{"name": "caller %d"}`, i),
					fmt.Sprintf(`{"greeting": "Hello, caller %d!", "greetedBy": "%s-greeter"}`, i, c.name[:2])
			})
		})
	}
}
