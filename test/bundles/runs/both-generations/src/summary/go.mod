module main

go 1.14

require (
	github.com/golang/protobuf v1.5.2
	github.com/konstellation-io/kre-runners/kre-go v0.0.0-20210520085043-c6c388dc28d4
	github.com/konstellation-io/kre/libs/simplelogger v0.0.0-20200612125025-86990df312ef
	github.com/nats-io/nats.go v1.10.0 // indirect
	google.golang.org/protobuf v1.26.0
)
