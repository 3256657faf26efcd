module report

go 1.14

require (
	github.com/konstellation-io/kre-runners/kre-go v0.0.0-20201104142015-e16ab4558d6e
	github.com/nats-io/nats.go v1.10.0 // indirect
)
