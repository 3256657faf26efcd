package crd_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Objects that have every field there is, each with a value that all constraints
// and rules accept.
const (
	fullVersion = `
apiVersion: krt.dev/v1alpha1
kind: Version
metadata: {name: full}
spec:
  state: Stopped
  restart: '2026-01-01T00:00:00Z'
  comment: because
  description: Greets.
  artifact: 'example.com:5000/team/krt-nodes@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
  entrypoint:
    proto: public_input.proto
    files: [{path: public_input.proto, content: 'syntax = "proto3";'}]
    timeout: 30s
    backgroundTimeout: 1h
    delivery: Sequence
    channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, annotations: {memory: b}, spec: {}}
    results: {retention: 24h}
    warmUp: true
    replicas: 1
    authentication:
      jwt: [{issuer: 'https://example.com', audiences: [a], jwks: '{}', jwksURL: 'https://example.com', ca: '-'}]
      apiKeys: {secret: partners}
      workflows: [greeting]
    inspect: {share: 5, payloadBytes: 65536, redact: [card.number], descriptors: Cg==}
  config: {variables: [CURRENCY], files: [CERT]}
  nodes:
  - name: etl
    image: example.com/etl
    src: src/etl/main.py
    gpu: true
    gpuRequest: {resource: nvidia.com/gpu, count: 1}
    workers: 2
    fork: true
    configFiles: Content
    timeout: 10s
    env: [{name: LEVEL, value: debug}]
    replicas: 1
    scale: {min: 1, max: 3, target: 2, concurrency: 4, keep: 10m, startTimeout: 20m}
    resources: {limits: {memory: 2Gi}, requests: {memory: 1Gi}}
  workflows: [{name: greeting, entrypoint: Greet, sequential: [etl]}]
status:
  phase: Started
  stream: true
  observedGeneration: 1
  address: {url: 'http://full.default.svc.cluster.local'}
  conditions:
  - {type: Ready, status: "True", reason: Ready, message: it is, lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1}
  startedWith:
    {settings: {memory: 30s}, entrypointImage: example.com/entrypoint, sequences: 1a2b3c, storeSecret: a-store-1a2b3c4d, traffic: true,
     kept: true, queueSecret: a-queue-1a2b3c4d, warm: true, patient: true, attempts: true, level: 1, encrypted: true,
     restart: '2026-01-01T00:00:00Z', formerUntil: '2026-01-01T00:00:00Z'}
  history: [{state: Started, time: '2026-01-01T00:00:00Z', restart: '2026-01-01T00:00:00Z', comment: because}]
  nodes: [{name: etl, ready: true, reason: Ready, message: it is, revision: full-etl-00001, image: example.com/etl}]
  warm: {until: '2026-01-01T00:00:00Z', waiting: [etl], message: it is}
  workflows: [{name: greeting, ready: true, reason: Ready, message: it is, address: 'http://example.com', channel: InMemoryChannel}]
`
	fullRuntime = `
apiVersion: krt.dev/v1alpha1
kind: Runtime
metadata: {name: default}
spec:
  publishedVersion: full
  comment: because
  canary:
    version: other
    weight: 0
    match: [{metadata: x-test, value: "1"}]
    sticky: {metadata: x-user}
    mirror: 5
    compare: {ignore: [at], tolerance: 0.1%}
    paused: false
    resume: '1'
    plan:
      steps: [{weight: 5, for: 10m}]
      minRequests: 100
      onFailure: Rollback
      onSuccess: Promote
      waitLimit: 2h
      limits:
        errorRatio: {increase: 1%}
        p95: {increase: 20%}
        accuracy: {decrease: 2%, minSamples: 200}
        agreement: {min: 99%, minSamples: 100}
        query: [{name: lag, prometheus: up, min: "1", max: "2"}]
status:
  canary:
    version: other
    of: 1a2b3c
    phase: Serving
    weight: 5
    mirror: 5
    receiving: true
    step: 1
    resume: '1'
    since: '2026-01-01T00:00:00Z'
    reason: Serving
    message: it is
    samples: {published: 1, canary: 1, fallbacks: 1, mirrored: 1, equal: 1}
    values: [{name: p95, published: 1 ms, canary: 1 ms, limit: 2 ms, verdict: Good}]
  publishedVersion: full
  observedGeneration: 1
  since: '2026-01-01T00:00:00Z'
  conditions:
  - {type: Ready, status: "True", reason: Ready, message: it is, lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1}
  history: [{version: full, from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', comment: because}]
`
)

// Every constraint of a schema is broken once, by a value made of the schema, in an
// object that is accepted without it.
func TestEveryConstraint(t *testing.T) {
	for _, kind := range []struct{ file, full, path string }{
		{"300-versions.yaml", fullVersion, versions},
		{"300-runtimes.yaml", fullRuntime, runtimes},
	} {
		t.Run(kind.file, func(t *testing.T) {
			full := parse(t, kind.full)
			made := send(t, http.MethodPost, kind.path, full)
			requireAccepted(t, made)
			path := kind.path + "/" + named(full)["name"].(string)
			t.Cleanup(func() { send(t, http.MethodDelete, path, nil) })
			named(full)["resourceVersion"] = named(made.body)["resourceVersion"]
			text, err := json.Marshal(full)
			require.NoError(t, err)
			requireAccepted(t, send(t, http.MethodPut, path+"/status"+dry, full))

			walk(schema(t, kind.file), "", func(s *props, field string) {
				if field == "apiVersion" || field == "kind" || field == "metadata" {
					return
				}
				requireKnown(t, s, field)
				to := path
				if strings.HasPrefix(field, "status") {
					to += "/status"
				}
				for _, b := range breaches(s, field, at(t, full, field)) {
					t.Run(field+" "+b.constraint, func(t *testing.T) { broken(t, to+dry, string(text), field, b) })
				}
			})
		})
	}
}

// broken puts an object with the bad value and one with the good one.
func broken(t *testing.T, to, full, field string, b breach) {
	put := func(value any) answer {
		o := parse(t, full)
		if field == "" {
			o = value.(object)
		} else {
			at(t, o, field, value)
		}
		return send(t, http.MethodPut, to, o)
	}
	meant := func(cause string) bool {
		return strings.HasPrefix(cause, b.field+": ") && strings.Contains(cause, b.text)
	}
	a := put(b.bad)
	require.Equal(t, http.StatusUnprocessableEntity, a.code, "%v", a.body)
	require.Truef(t, slices.ContainsFunc(a.refused, meant), "not refused at %q with %q but:\n%s", b.field, b.text,
		strings.Join(a.refused, "\n"))
	require.Falsef(t, slices.ContainsFunc(put(b.good).refused, meant), "the value at the limit is refused")
}
