module main

go 1.18

require (
	github.com/konstellation-io/kre-runners/kre-go v0.0.0-20220517143033-9c42a4b6f0d4
	google.golang.org/protobuf v1.28.0
)
