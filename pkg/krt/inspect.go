package krt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// What may be kept of a message, in bytes.
const (
	leastPayload = 1 << 10
	mostPayload  = 1 << 20
)

// inspect reads what the entrypoint keeps of messages.
func (o object) inspect(key string) *Inspect {
	if o.values[key] == nil {
		return nil
	}
	r, values := o.reader, o.object(key)
	i := &Inspect{PayloadBytes: values.bytes("payloadBytes"), Redact: values.texts("redact")}
	if share := values.integer("share"); share != nil {
		i.Share = *share
	}
	for j, path := range i.Redact {
		element := fmt.Sprintf("%s[%d]", values.at("redact"), j)
		switch err := fieldpath.Check(path); {
		case r.reported(element):
		case err != nil:
			r.field(element, "%v", err)
		case slices.Contains(i.Redact[:j], path):
			r.field(element, "is %.80q, which is in the list twice", path)
		}
	}
	return i
}

// bytes reads a number of bytes such as 65536, "64Ki" or "1Mi".
func (o object) bytes(key string) int {
	text, form := o.text(key), o.form.find(key)
	if text == "" {
		return 0
	}
	unit := 1
	digits, kibi := strings.CutSuffix(text, "Ki")
	if kibi {
		unit = 1 << 10
	} else if rest, mebi := strings.CutSuffix(text, "Mi"); mebi {
		digits, unit = rest, 1<<20
	}
	number, err := strconv.ParseUint(digits, 10, 32)
	if bytes := int(number) * unit; err == nil && bytes >= form.Low && bytes <= form.High {
		return bytes
	}
	o.reader.field(o.at(key), "is %.40q; it must be a number of bytes from 1Ki to 1Mi, such as 64Ki", text)
	return 0
}

// checkInspect reports paths of fields that no message has, and descriptors that are too
// large to be used. The keys of dicts are in no proto, so where nodes exchange dicts such a
// path is a warning.
func (r *reader) checkInspect(b *Bundle) {
	i := b.Manifest.Entrypoint.Inspect
	if i == nil || b.Messages == nil {
		return
	}
	for j, path := range i.Redact {
		at := fmt.Sprintf("entrypoint.inspect.redact[%d]", j)
		if r.reported(at) || fieldpath.Exists(path, b.Messages.Registry()) {
			continue
		}
		if b.dicts() {
			r.warn(at, "field %.80q is in no message of the bundle's protos; it is redacted in dicts", path)
			continue
		}
		r.fail(at, "field %.80q is in no message of the bundle's protos; a path is made of the names of fields, such as card.number", path)
	}
	if b.Messages.Descriptors() == nil {
		r.warn("entrypoint.inspect", "the descriptors of the bundle's protos have more than %d KiB: "+
			"on a cluster, only the messages of the entrypoint's proto are decoded", schema.MaxDescriptors>>10)
	}
}

// dicts reports whether a node of the bundle exchanges dicts.
func (b *Bundle) dicts() bool {
	return slices.ContainsFunc(b.Manifest.Nodes, func(n Node) bool {
		g, ok := b.Generation(n)
		return ok && g.Dicts
	})
}
