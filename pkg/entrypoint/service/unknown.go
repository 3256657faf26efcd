package service

import (
	"fmt"

	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/schema"
)

// Unknown describes why the version with the contract s serves no rpc with the path method, "/pkg.Service/Method".
// workflows are its workflows, in words.
func Unknown(s *schema.Schema, version, method, workflows string) string {
	for _, m := range s.Methods() {
		if "/"+schema.MethodName(m) != method {
			continue
		}
		if m.IsStreamingClient() {
			return fmt.Sprintf("rpc %s is client-streaming; a workflow starts with one message", method[1:])
		}
		return fmt.Sprintf("no workflow of version %q serves rpc %s", version, method[1:])
	}
	return fmt.Sprintf("version %q has no rpc %s; its workflows are %s", version, clip.Text(method, 256), workflows)
}
