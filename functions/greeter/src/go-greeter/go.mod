module krt.dev/kn-krt/functions/greeter/src/go-greeter

go 1.25.0

require (
	google.golang.org/protobuf v1.36.12
	krt.dev/kn-krt/pkg/runner v0.0.0
)

require google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect

// For `go test` in this checkout. `kn-krt run` builds against the SDK that it
// carries, so a node of your own needs no replace line.
replace krt.dev/kn-krt/pkg/runner => ../../../../pkg/runner
