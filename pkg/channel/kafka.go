package channel

// kafka is Knative's channel for Apache Kafka: it responds once the brokers have the event.
func kafka() Kind {
	return Kind{
		Name: "KafkaChannel", Group: Group, Promise: Stored,
		MaxBytes: 1 << 20, Limit: "max.message.bytes of its topics, and max.request.size of the channel's producer",
	}
}
