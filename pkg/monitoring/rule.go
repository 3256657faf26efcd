package monitoring

// Recording is a recording rule.
type Recording struct{ Name, Expr string }

// Alert is an alerting rule. Its runbook is the heading of docs/how-to/alerts.md that is its
// name in lower case.
type Alert struct {
	// Name is the alert's name.
	Name string
	// Expr is the PromQL, For how long it must hold, such as 5m.
	Expr, For string
	// Severity is critical if people wait for responses, else warning.
	Severity string
	// Summary and Description are what the person on call reads, with labels as {{ $labels.x }}.
	Summary, Description string
}

// Recordings are the recording rules: what alerts and overviews use.
func Recordings() []Recording {
	p95 := func(by, metric string) string {
		return Query{Template: quantile("namespace, version, "+by, metric)}.Expr("", "5m")
	}
	rate := func(matcher string) string {
		return "sum by (namespace, version, workflow) (rate(krt_requests_total{" + matcher + "}[5m]))"
	}
	return []Recording{
		{"krt:request_errors:ratio5m", rate(`code=~"`+ServerErrors+`"`) + " / " + rate("")},
		{"krt:request_duration:p95_5m", p95("workflow", "krt_request_duration_seconds")},
		{"krt:step_duration:p95_5m", p95("workflow, node", "krt_step_duration_seconds")},
		{"krt:stream_first_message:p95_5m", p95("workflow", "krt_stream_first_message_seconds")},
	}
}

// Alerts are the alerting rules.
func Alerts() []Alert {
	both := func(matcher string) string { // saves and reads
		const by = "sum by (kind, sink) (rate(krt_store_"
		return "(" + by + "writes_total{" + matcher + "}[5m])) + " + by + "reads_total{" + matcher + "}[5m])))"
	}
	slow := func(p95 string) string { return p95 + " > 3 * avg_over_time(" + p95 + "[1h]) and " + p95 + " > 0.1" }
	const workflow = "Workflow {{ $labels.workflow }} of version {{ $labels.version }} in {{ $labels.namespace }}"
	return []Alert{
		{"KrtRequestErrors", "krt:request_errors:ratio5m > 0.05", "5m", "critical",
			"More than 5 % of requests fail", workflow + ": {{ $value | humanizePercentage }} of the requests have failed for 5 minutes."},
		{"KrtRequestsSlow", // a stream is as long as its response
			slow("krt:request_duration:p95_5m") + "\nunless on (namespace, version, workflow) krt_stream_messages_total\n" +
				"or " + slow("krt:stream_first_message:p95_5m"),
			"10m", "warning",
			"Requests take three times as long as in the last hour",
			workflow + ": the slowest 5 % take {{ $value | humanizeDuration }} or more."},
		{"KrtVersionNotReady", "krt_version_ready == 0", "5m", "critical",
			"A version is not ready",
			"Version {{ $labels.version }} in {{ $labels.namespace }} is started, and has not been ready for 5 minutes."},
		{"KrtCanaryRolledBack", `krt_canary_info{phase="RolledBack"} == 1`, "0m", "warning",
			"A canary was rolled back",
			"Canary {{ $labels.canary }} in {{ $labels.namespace }} exceeded a limit of its plan and gets no requests any more."},
		{"KrtCanaryPaused", `krt_canary_info{phase="Paused",reason!~"PausedByHand|Succeeded"} == 1`, "0m", "warning",
			"The plan of a canary has paused",
			"The plan of canary {{ $labels.canary }} in {{ $labels.namespace }} waits for a person, for the reason {{ $labels.reason }}."},
		{"KrtDeadLetters", "sum by (namespace, version, workflow, node) (increase(krt_dead_letters_total[10m])) > 0",
			"0m", "warning",
			"Events were given up on", workflow + ": node {{ $labels.node }} did not accept events, however often they were sent, " +
				"or has failed in work that no client waits for."},
		// One metric is 0 where letters are counted by the other one.
		{"KrtLettersDropped", "sum by (namespace, version, kind) (increase(krt_letters_dropped_total[10m])) > 0\n" +
			"or sum by (namespace, version, kind) (increase(krt_queue_letters_refused_total[10m])) > 0", "0m", "critical",
			"Results or dead letters are lost",
			"Version {{ $labels.version }} in {{ $labels.namespace }} could not save {{ $value | humanize }} letters of the kind " +
				"{{ $labels.kind }} in the store."},
		{"KrtQueueWaits", "max by (namespace, version, workflow, node) (krt_queue_oldest_seconds) > 600", "5m", "warning",
			"Events have waited in a queue for long", workflow + ": the oldest event for node {{ $labels.node }} has waited, or is in " +
				"work, for {{ $value | humanizeDuration }}."},
		{"KrtQueueAway", "krt_queue_up == 0", "5m", "critical", "The queue cannot be used",
			"The queue of durable delivery has accepted nothing for 5 minutes; its log says why."},
		// Without the 64 MiB of the limit, or more, that are for events between steps: see client.Client.Room.
		{"KrtQueueNearlyFull", "krt_queue_bytes / (krt_queue_limit_bytes - 67108864) > 0.8", "5m", "warning",
			"A version's queue is nearly full",
			"The queue of version {{ $labels.version }} in {{ $labels.namespace }} has {{ $value | humanizePercentage }} of the bytes up to " +
				"which it accepts requests: further ones will be refused."},
		{"KrtRequestsRefused", `sum by (namespace, version, workflow) (rate(krt_requests_total{code="RESOURCE_EXHAUSTED"}[5m])) > 0.1`,
			"5m", "warning",
			"Requests are refused at a limit", workflow + ": {{ $value | humanize }} requests per second are refused."},
		{"KrtStoreErrors", both(`result="failed"`) + " / " + both("") + " > 0.05", "5m", "critical",
			"More than 5 % of what the store is asked for fails",
			"Kind {{ $labels.kind }}, kept by {{ $labels.sink }}: {{ $value | humanizePercentage }} of the requests to the store have " +
				"failed for 5 minutes."},
		{"KrtStoreAway", "krt_store_up == 0", "5m", "critical", "The store cannot use a database",
			"{{ $labels.sink }}, which keeps data of the kind {{ $labels.kind }}, does not respond; GET /readyz of the store says why."},
		{"KrtStoreDropped", "increase(krt_store_dropped_total[10m]) > 0", "0m", "warning",
			"The store loses measurements",
			"{{ $value | humanize }} accepted measurements were lost in 10 minutes: their database refused them or was away for too long."},
		{"KrtStoreRemoves", "sum by (file, kind) (increase(krt_store_removed_total[1h])) > 0", "0m", "warning",
			"The store removes what was saved to make room",
			"{{ $value | humanize }} entries of the kind {{ $labels.kind }}, the oldest of the namespace that has the most, were removed in " +
				"an hour: {{ $labels.file }} has reached its limit."},
		{"KrtStoreNearlyFull", "krt_store_file_bytes / krt_store_file_limit_bytes > 0.9\n" +
			"or krt_store_volume_free_bytes / krt_store_volume_bytes < 0.05", "10m", "warning",
			"The store is nearly full",
			"{{ $labels.file }} or its volume is nearly full: documents will be refused, and the oldest of all else removed."},
	}
}
