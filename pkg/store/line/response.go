package line

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// verdict is what a response means for the batch that was sent.
type verdict int

const (
	taken     verdict = iota // it is written, but for what was dropped
	again                    // later it may be written
	tooLarge                 // in halves it may be written
	noSuchOne                // there is no such database
)

// outcome is a verdict, with how many points were dropped and why.
type outcome struct {
	verdict verdict
	dropped int
	reason  string
}

// judge reads a response of InfluxDB 1.x; InfluxDB 2 and 3 use another status for a partial
// write (422) and another name for its reason.
func judge(status int, body []byte, b *batch) outcome {
	reason := reasonOf(status, body)
	switch {
	case status < http.StatusMultipleChoices:
		return outcome{verdict: taken}
	case status == http.StatusRequestEntityTooLarge:
		return outcome{verdict: tooLarge, reason: reason}
	case status == http.StatusNotFound || strings.Contains(reason, "database not found"):
		return outcome{verdict: noSuchOne, reason: reason}
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		return outcome{verdict: taken, dropped: droppedOf(reason, b), reason: reason}
	default:
		return outcome{verdict: again, reason: reason}
	}
}

func reasonOf(status int, body []byte) string {
	var failure struct{ Error, Message string }
	_ = json.Unmarshal(body, &failure)
	switch {
	case failure.Error != "" && failure.Message == "":
		return failure.Error
	case failure.Message != "":
		return failure.Message
	}
	return fmt.Sprintf("status %d %s", status, http.StatusText(status))
}

// droppedCount is at the end of what InfluxDB reports of a partial write. It does not
// include the lines that it cannot parse: those are listed.
var droppedCount = regexp.MustCompile(`dropped=(\d+)$`)

func droppedOf(reason string, b *batch) int {
	lines := strings.Count(reason, "unable to parse")
	match := droppedCount.FindStringSubmatch(reason)
	if match == nil && lines == 0 {
		return b.points // refused as a whole
	}
	if match != nil {
		n, _ := strconv.Atoi(match[1])
		lines += n
	}
	return min(max(lines, 1), b.points)
}

// conflict is a field whose type differs from that in the database.
type conflict struct{ field, measurement, kind, existing string }

var conflictText = regexp.MustCompile(`input field "(.*)" on measurement "(.*)" is type (\w+), already exists as type (\w+)`)

// conflictOf finds in a reason the field that InfluxDB names.
func conflictOf(reason string) (conflict, bool) {
	match := conflictText.FindStringSubmatch(reason)
	if match == nil {
		return conflict{}, false
	}
	return conflict{match[1], match[2], match[3], match[4]}, true
}

// pointOf returns the first line of b that has the conflict, for a log: at most 500 bytes.
func pointOf(b *batch, c conflict) string {
	const most = 500
	name, field := []byte(nameEscapes.Replace(c.measurement)), []byte(keyEscapes.Replace(c.field)+"=")
	for lines := b.lines; len(lines) > 0; lines = lines[pointEnd(lines):] {
		line := lines[:pointEnd(lines)]
		rest, ok := bytes.CutPrefix(line, name)
		if !ok || len(rest) == 0 || rest[0] != ',' && rest[0] != ' ' {
			continue
		}
		for _, before := range []string{" ", ","} {
			_, value, found := bytes.Cut(rest, append([]byte(before), field...))
			if found && kindOfText(value) == c.kind {
				return strings.TrimSuffix(string(line[:min(len(line), most)]), "\n")
			}
		}
	}
	return ""
}

// kindOfText returns the kind of the value that text begins with.
func kindOfText(text []byte) string {
	end := bytes.IndexAny(text, ", \n")
	if end < 1 {
		return ""
	}
	switch {
	case text[0] == '"':
		return kindString
	case text[0] == 't' || text[0] == 'f':
		return kindBoolean
	case text[end-1] == 'i':
		return kindInteger
	default:
		return kindFloat
	}
}
