package dashboard

import "krt.dev/kn-krt/pkg/dashboard/source"

// statusView is the first page of a version.
type statusView struct {
	*source.Version
	// Asked is the action that has just been asked for; empty if none was.
	Asked string
}

func statusPage() page {
	return page{
		name: "status", title: "Status", tab: "Status",
		view: func(r *request) (any, error) {
			return &statusView{Version: r.version, Asked: asked(r)}, nil
		},
		live: func(view any) []fragment {
			return []fragment{{id: "nodes", template: "status-nodes", data: view}}
		},
	}
}
