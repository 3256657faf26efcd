package channel

// natsJetStream is Knative's channel for NATS JetStream: it responds once the stream has the
// event. It stores data as base64 in JSON, of which a third more counts against the limit.
func natsJetStream() Kind {
	return Kind{
		Name: "NatsJetStreamChannel", Group: Group, Promise: Stored,
		MaxBytes: 3 << 18, Limit: "max_payload of NATS (1 MiB), of which base64 leaves three quarters",
	}
}
