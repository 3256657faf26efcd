package reference

import (
	"fmt"
	"regexp"
	"strings"
)

// attribute finds the constants of the headers, and set the fields that are written to them.
var (
	attribute = regexp.MustCompile(`(?m)^\t(header\w+)\s+= "(Ce-\w+|Content-Type)"`)
	written   = regexp.MustCompile(`(?:set\((header\w+), [^)]*?e\.(\w+(?:\.\w+)?)|h\[(header\w+)\].*e\.(\w+))`)
)

func events(root string) (string, error) {
	const from = "pkg/runner/event/"
	file, err := goFile(root, from+"event.go")
	if err != nil {
		return "", err
	}
	source, err := read(root, from+"http.go")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	begin(&b, "Events", "What travels between the entrypoint, nodes and channels: CloudEvents 1.0 in binary mode over HTTP, with "+
		"`application/protobuf` as their content. [What runners report](wire.md) has the formats of the last attributes.")
	b.WriteString("\n## Types\n\n")
	table(&b, "type", "meaning")
	_, of := constants(file, "Type")
	for _, group := range of {
		for _, c := range group {
			row(&b, literal(c.value), plain(strings.TrimPrefix(c.comment, c.name+" ")))
		}
	}
	by := headersOf(source)
	all, err := fields(file, "Event")
	if err != nil {
		return "", err
	}
	b.WriteString("\n## Attributes\n\nEvery event also has `ce-specversion: 1.0` and `content-type: application/protobuf`.\n\n")
	table(&b, "header", "meaning")
	for _, f := range all {
		name := literal(by[f[0]])
		switch f[0] {
		case "Trace":
			name = fmt.Sprintf("`%s`, `%s`", by["Trace.Parent"], by["Trace.State"])
		case "Data":
			name = "the body"
		case "CorrelationID":
			f[1] = strings.Split(f[1], ";")[0] + "."
		case "CausationID":
			f[1] = "CausationID is the id of the event that caused this one."
		}
		if name == "" {
			return "", fmt.Errorf("%s: no header found for %s", from, f[0])
		}
		row(&b, name, plain(bare(f[1], f[0])))
	}
	return b.String(), nil
}

// headersOf are the headers of an event's fields, from the source that writes them.
func headersOf(source string) map[string]string {
	headers := map[string]string{}
	for _, found := range attribute.FindAllStringSubmatch(source, -1) {
		headers[found[1]] = strings.ToLower(found[2])
	}
	by := map[string]string{"Message": headers["headerSchema"], "Deadline": headers["headerDeadline"], "Replied": headers["headerReplied"],
		"Mirror": headers["headerMirror"]}
	for _, found := range written.FindAllStringSubmatch(source, -1) {
		by[found[2]+found[4]] = headers[found[1]+found[3]]
	}
	return by
}

// bare is a comment of a field as a text for people who do not see the code.
func bare(comment, field string) string {
	for _, verb := range []string{" is ", " says ", " authorises "} {
		if rest, ok := strings.CutPrefix(comment, field+verb); ok {
			comment = strings.TrimPrefix(verb+rest, " is ")
		}
	}
	return strings.TrimSpace(regexp.MustCompile(`\s*\(see \[[^\]]*\]\)|: see \[[^\]]*\]`).ReplaceAllString(comment, ""))
}
