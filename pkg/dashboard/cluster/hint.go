package cluster

import (
	"regexp"
	"strings"
)

// A condition's message is a cause, then what to do about it, which ends in a command:
// "its container ended with exit code 1: boom; see its log: kn krt logs a --node b". The
// cause may quote what a node has logged; the platform's own words are the last.
var (
	command = regexp.MustCompile(`^[^:;]{1,80}: (kn krt|kubectl) [^;]+$`)
	others  = regexp.MustCompile(` \(also not ready: [^()]*\)$`)
)

// split splits the message of a condition into the cause and what to do next; next is "" if
// the message does not name a command.
func split(message string) (cause, next string) {
	rest := others.FindString(message)
	message = strings.TrimSuffix(message, rest)
	at := strings.LastIndex(message, "; ")
	switch {
	case command.MatchString(message):
		return "", message + rest
	case at < 0 || !command.MatchString(message[at+2:]):
		return message + rest, ""
	}
	return message[:at] + rest, message[at+2:]
}
