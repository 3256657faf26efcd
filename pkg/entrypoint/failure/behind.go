package failure

// Behind says what it means that a delivery, by a queue, by a channel or directly, has failed although the client has had
// its response. Kept says that dead letters are.
func Behind(queued, channel, kept bool) string {
	const goesOn = " has not confirmed an event to which the client has an early reply; if it has the event, the work goes on"
	switch {
	case queued:
		return "the queue" + goesOn
	case channel:
		return "the channel" + goesOn
	case kept:
		return "the work after the response failed; its event becomes a dead letter"
	}
	return "the work after the response failed; nothing is kept of it"
}
