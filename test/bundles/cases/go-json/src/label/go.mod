module label

go 1.14

require (
	github.com/konstellation-io/kre/libs/simplelogger v0.0.0-20200612125025-86990df312ef
	github.com/konstellation-io/kre/runtime-runners/kre-go v0.0.0-20200619080000-9af806a1c0de
)
