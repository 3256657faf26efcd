package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/rest"
)

// Transcoder is what [Decoding.NewTranscoder] makes a handler of.
type Transcoder struct {
	// Schema is the contract whose rpcs are served.
	Schema *schema.Schema
	// JSON reads and writes the contract's messages.
	JSON *JSON
	// Handler serves the rpcs in Connect's unary protocol, and streaming rpcs in its
	// streaming protocol, with protobuf bodies that are not compressed.
	Handler http.Handler
	// NotFound serves requests for anything else.
	NotFound http.HandlerFunc
	// Logger gets what of the contract is not served.
	Logger *slog.Logger
	// Ping is how often a client of server-sent events gets a comment while no message
	// comes. Default 15 s.
	Ping time.Duration
}

// NewTranscoder serves a contract's rpcs in JSON, Connect and gRPC-Web. The
// [Transcoding] of each is in its context.
func (d *Decoding) NewTranscoder(t Transcoder) (http.Handler, error) {
	list, problems := rest.Services(t.Schema.Entry())
	for _, p := range problems {
		t.Logger.Warn("an annotation google.api.http is not served", "rpc", p.Method.FullName(), "error", p.Text)
	}
	direct, err := newUnary(&t)
	if err != nil {
		return nil, fmt.Errorf("cannot serve rpcs in JSON: %w", err)
	}
	services := make([]*vanguard.Service, len(list))
	for i, service := range list {
		services[i] = vanguard.NewServiceWithSchema(service, direct,
			vanguard.WithTargetProtocols(vanguard.ProtocolConnect),
			vanguard.WithTargetCodecs(vanguard.CodecProto),
			vanguard.WithNoTargetCompression(),
			vanguard.WithTypeResolver(t.JSON.types),
			vanguard.WithMaxMessageBufferBytes(uint32(d.limit)),
		)
	}
	transcoder, err := vanguard.NewTranscoder(services,
		d.gzip(), // first: vanguard forgets the compressions given after a codec
		vanguard.WithUnknownHandler(t.NotFound),
		vanguard.WithCodec(t.JSON.codec),
		vanguard.WithCodec(newProtoCodec),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot transcode for the web port: %w", err)
	}
	direct.transcoder = transcoder
	streams := streaming(t.Schema.Entry())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, streamed, bare := protocolOf(r), streams[r.URL.Path], false
		if plainJSON(r) {
			r.Header.Set("Content-Type", "application/json")
			if t.Schema.Entry().Services().ByName(serviceOf(r.URL.Path)) != nil {
				// Plain JSON is what Connect's unary protocol is, but for a header
				// that few people type.
				r.Header.Set("Connect-Protocol-Version", "1")
				by, bare = record.JSON, streamed
			}
		}
		if bare && !CanEnd(r) {
			refuseLines(w, r)
			return
		}
		r, body := d.transcode(w, r, by)
		defer body.end()
		body.streams, body.bare = streamed, bare
		limited := &refusalWriter{ResponseWriter: w, request: r, body: body}
		defer limited.settle(nil)
		if kind := mediaType(r.Header.Get("Content-Type")); kind == "" || strings.HasSuffix(kind, "json") {
			limited.texts = t.JSON.budget
		}
		out := http.ResponseWriter(limited)
		if bare {
			r.Header.Set("Content-Type", connectJSON)
			stream := newStreamed(out, r.Header, t.Ping)
			defer stream.close()
			body.pinged, out = stream, stream
		}
		direct.serve(out, r, body)
	}), nil
}

// streaming are the paths of the server-streaming rpcs of a contract.
func streaming(entry protoreflect.FileDescriptor) map[string]bool {
	paths := map[string]bool{}
	for i := range entry.Services().Len() {
		methods := entry.Services().Get(i).Methods()
		for j := range methods.Len() {
			if m := methods.Get(j); m.IsStreamingServer() && !m.IsStreamingClient() {
				paths["/"+schema.MethodName(m)] = true
			}
		}
	}
	return paths
}

// serviceOf is the name, without its package, of the service that a path of the
// form /package.Service/Method names.
func serviceOf(path string) protoreflect.Name {
	service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return protoreflect.FullName(service).Name()
}

// plainJSON reports whether r is a POST of JSON by a client that may not know of
// Connect: curl sends application/x-www-form-urlencoded by default.
func plainJSON(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Header.Get("Connect-Protocol-Version") != "" {
		return false
	}
	switch mediaType(r.Header.Get("Content-Type")) {
	case "", "application/json", "application/x-www-form-urlencoded":
		return true
	}
	return false
}

// ConnectError is s as an error of Connect.
func ConnectError(s *spb.Status) *connect.Error {
	return connectError(s, errors.New(s.GetMessage()))
}

// connectError is s as an error of Connect with the text of why, which it wraps.
func connectError(s *spb.Status, why error) *connect.Error {
	err := connect.NewError(connect.Code(s.GetCode()), why)
	if after := retryAfter(s); after != "" {
		err.Meta().Set(headerRetryAfter, after)
	}
	for _, d := range s.GetDetails() {
		if detail, bad := connect.NewErrorDetail(d); bad == nil {
			err.AddDetail(detail)
		}
	}
	return err
}
