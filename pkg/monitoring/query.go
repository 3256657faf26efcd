// Package monitoring is one table of what is asked of the metrics of kn-krt: by people on
// call, by dashboards, by alerts. Package export makes files of it; docs/reference/queries.md
// has the queries for people.
package monitoring

import (
	"slices"
	"strings"
)

// Unit is the unit of a query's values.
type Unit string

// The units.
const (
	Count   Unit = "count"
	Rate    Unit = "per second"
	Seconds Unit = "seconds"
	Bytes   Unit = "bytes"
	Ratio   Unit = "ratio" // 0 to 1
)

// Query is a question and its PromQL.
type Query struct {
	// Group is the row of a dashboard.
	Group string
	// Title names the panel, Question heads the query in docs.
	Title, Question string
	// About is how to read the values, in one sentence.
	About string
	// Unit is that of the values.
	Unit Unit
	// Legend names a series by its labels: {{label}}.
	Legend string
	// Template is PromQL with the placeholders $of, the matchers of namespace and version,
	// and $range, a duration: see [Query.Expr].
	Template string
}

// Expr returns the PromQL for what the matchers of select, such as version="v1", over a range
// such as 5m.
func (q Query) Expr(matchers, over string) string {
	if matchers == "" {
		return strings.NewReplacer("{$of}", "", ",$of", "", "$range", over).Replace(q.Template)
	}
	return strings.NewReplacer("$of", matchers, "$range", over).Replace(q.Template)
}

// The groups.
const (
	requests = "Requests"
	steps    = "Steps"
	process  = "Entrypoint"
	cluster  = "Versions"
	store    = "Store"
)

// ServerErrors are the codes of failures that are not the client's, as a regular expression.
const ServerErrors = "UNKNOWN|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS"

// ServerError reports whether a code of gRPC is one of [ServerErrors].
func ServerError(code string) bool { return slices.Contains(strings.Split(ServerErrors, "|"), code) }

// Queries is the table, in the order in which a person on call asks.
func Queries() []Query {
	var all []Query
	for _, group := range [][]Query{clusterQueries(), requestQueries(), stepQueries(), processQueries(), storeQueries()} {
		all = append(all, group...)
	}
	return all
}

func clusterQueries() []Query {
	return []Query{
		{cluster, "Ready", "Is it healthy?", "1 is ready, 0 is not. A version that is stopped has no value.",
			Count, "{{namespace}} {{version}}", `min by (namespace, version) (krt_version_ready{$of})`},
		{cluster, "Published", "Which version is published?", "One series for each namespace with a published version.",
			Count, "{{namespace}} {{version}}", `max by (namespace, version) (krt_published_info{$of})`},
		{cluster, "Versions by phase", "How many versions are there?", "Of the whole cluster.",
			Count, "{{phase}}", `sum by (phase) (krt_versions)`},
		{cluster, "Programs", "Which kn-krt runs?", "Entrypoints keep the one that they were started with until a restart.",
			Count, "{{release}} {{go_version}}", `count by (release, go_version) (krt_build_info)`},
	}
}

func requestQueries() []Query {
	return []Query{
		{requests, "Requests", "How much is it used?", "Requests that have ended, asynchronous ones when their work has.",
			Rate, "{{workflow}}", `sum by (workflow) (rate(krt_requests_total{$of}[$range]))`},
		{requests, "Error ratio", "What is the error ratio?", "Codes that are the client's own fault do not count.",
			Ratio, "{{workflow}}", "sum by (workflow) (rate(krt_requests_total{\n" + `  code=~"` + ServerErrors + `",$of}[$range]))` +
				"\n" + `/ sum by (workflow) (rate(krt_requests_total{$of}[$range]))`},
		{requests, "Failures by code", "How do requests fail?",
			"`RESOURCE_EXHAUSTED` is a limit, `UNAVAILABLE` a node that cannot be reached.",
			Rate, "{{workflow}} {{code}}", `sum by (workflow, code) (rate(krt_requests_total{code!="OK",$of}[$range])) > 0`},
		{requests, "Duration, p95", "How slow are the slowest 5 %, by workflow?",
			"From admission to the response; of an early reply, to the reply.",
			Seconds, "{{workflow}}", quantile("workflow", "krt_request_duration_seconds")},
		{requests, "In flight", "How many requests are in flight?", "Work behind an early reply is included.",
			Count, "{{version}}", `sum by (version) (krt_requests_in_flight{$of})`},
		{requests, "Early responses", "How many responses are early?", "An early reply continues the workflow, an exit ends it.",
			Rate, "{{workflow}} {{kind}}", `sum by (workflow, kind) (rate(krt_early_replies_total{$of}[$range]))`},
		{requests, "Request size, p95", "How large are requests?", "In protobuf, whatever the client's protocol is.",
			Bytes, "{{workflow}}", quantile("workflow", "krt_request_bytes")},
		{requests, "Response size, p95", "How large are responses?", "In protobuf.",
			Bytes, "{{workflow}}", quantile("workflow", "krt_response_bytes")},
		{requests, "First message, p95", "How long do clients wait for the first message of a stream?",
			"From admission to the message; the duration of a stream is until its last one.",
			Seconds, "{{workflow}}", quantile("workflow", "krt_stream_first_message_seconds")},
		{requests, "Messages", "How many messages do streams have?", "Of streams that have ended.",
			Rate, "{{workflow}}", `sum by (workflow) (rate(krt_stream_messages_total{$of}[$range]))`},
	}
}

func stepQueries() []Query {
	return []Query{
		{steps, "Time in the handler, p95", "Which node is the slowest?", "The five slowest, without the time that their events wait.",
			Seconds, "{{workflow}} {{node}}", "topk(5, " + quantile("workflow, node", "krt_step_duration_seconds") + ")"},
		{steps, "Handler errors", "Which node fails?", "Errors that handlers return. They are not retried.",
			Rate, "{{workflow}} {{node}}",
			`sum by (workflow, node) (rate(krt_step_duration_seconds_count{outcome="error",$of}[$range]))`},
		{steps, "Wait before a step, p95", "Do requests wait for workers?",
			"In the network, for a pod to start or in a channel, and for a worker. If it is long, the node needs more workers or pods.",
			Seconds, "{{workflow}} {{node}}", quantile("workflow, node", "krt_step_wait_seconds")},
		{steps, "Cold starts", "How often does a request wait for a cold start?",
			"The first request of each process. `scale.min` keeps pods.",
			Rate, "{{workflow}} {{node}}", `sum by (workflow, node) (rate(krt_step_cold_starts_total{$of}[$range]))`},
		{steps, "Nodes woken ahead", "Are nodes woken ahead of events?",
			"When a workflow begins while later nodes may be at zero. `failed`: the node did not become ready; the entrypoint's log has why.",
			Rate, "{{node}} {{result}}", `sum by (node, result) (rate(krt_warm_ups_total{$of}[$range]))`},
		{steps, "Retries", "What is retried?", "`gave_up` has failed the request. Without a node, it is the Sequence.",
			Rate, "{{workflow}} {{node}} {{result}}",
			`sum by (workflow, node, result) (rate(krt_step_attempts_total{result!="ok",$of}[$range]))`},
		{steps, "Dead letters", "Are there dead letters?", "Events that Knative gave up on, in the last hour.",
			Count, "{{workflow}} {{node}}", `sum by (workflow, node) (increase(krt_dead_letters_total{$of}[1h]))`},
		{steps, "Oldest event in the queue", "Do events wait in the queue?", "With durable delivery: its age, in work or not.",
			Seconds, "{{workflow}} {{node}}", `max by (workflow, node) (krt_queue_oldest_seconds{$of})`},
		{steps, "Dropped replies", "Are replies dropped?",
			"`late` is normal after a deadline; `bad_token` and `no_token` are events from elsewhere.",
			Rate, "{{reason}}", `sum by (reason) (rate(krt_replies_dropped_total{$of}[$range]))`},
		{steps, "Forwarded replies", "Do replies reach the other replica?", "With several replicas, most replies are forwarded once.",
			Rate, "{{version}}", `sum by (version) (rate(krt_replies_forwarded_total{$of}[$range]))`},
	}
}

func processQueries() []Query {
	return []Query{
		{process, "Memory held", "How much memory do requests hold?", "At `entrypoint-memory-budget` (256Mi) further requests are refused.",
			Bytes, "{{version}}", `max by (version) (krt_held_bytes{$of})`},
		{process, "Memory", "How much memory does an entrypoint use?", "Its limit is twice the budget plus 128Mi.",
			Bytes, "{{version}}", own("process_resident_memory_bytes{$of}")},
		{process, "CPU", "How much CPU does an entrypoint use?", "In cores, of the busiest replica.",
			Count, "{{version}}", own("rate(process_cpu_seconds_total{$of}[$range])")},
		{process, "Goroutines", "Does an entrypoint leak?", "A few for each request in flight and connection.",
			Count, "{{version}}", own("go_goroutines{$of}")},
	}
}

// storeQueries are of the whole cluster: only predictions have labels of versions.
func storeQueries() []Query {
	return []Query{
		{store, "Saves", "What is saved?", "By kind of data, of all versions.",
			Rate, "{{kind}}", `sum by (kind) (rate(krt_store_writes_total[$range]))`},
		{store, "Refused and failed", "What does the store refuse?",
			"`refused` is the content, `denied` the credential, `limited` too much of a version, `failed` the store or database.",
			Rate, "{{kind}} {{result}}", `sum by (kind, result) (rate(krt_store_writes_total{result!="ok"}[$range]))` +
				"\n+ " + `sum by (kind, result) (rate(krt_store_reads_total{result!="ok"}[$range]))`},
		{store, "Predictions by result", "How good are predictions?", "`hit` against `miss` is the accuracy.",
			Rate, "{{namespace}} {{version}} {{workflow}} {{result}}",
			`sum by (namespace, version, workflow, result) (rate(krt_predictions_total[$range]))`},
		{store, "Use of the file", "How full is the store?",
			"Only SQLite: at its limit, the oldest measurements, predictions and results of the namespace that has the most are removed.",
			Bytes, "{{file}}", `max by (file) (krt_store_file_bytes)`},
		{store, "Time of saves, p95", "How long do saves take?", "Those that succeeded, in the store and its database.",
			Seconds, "{{kind}}",
			"histogram_quantile(0.95, sum by (kind, le) (rate(krt_store_write_duration_seconds_bucket[$range])))"},
	}
}

// quantile is the 95th percentile of a histogram, by labels.
func quantile(by, metric string) string {
	return "histogram_quantile(0.95, sum by (" + by + ", le) (rate(" + metric + "_bucket{$of}[$range])))"
}

// own is the largest value by version of a metric that other programs have as well: of
// entrypoints only.
func own(expr string) string {
	return "max by (version) (" + expr + "\n  and on (namespace, instance) krt_held_bytes{$of})"
}
