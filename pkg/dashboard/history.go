package dashboard

import "krt.dev/kn-krt/pkg/dashboard/source"

// historyView is what was done with a version, and what was published in its namespace.
type historyView struct {
	*source.Version
	source.History
}

func historyPage() page {
	return page{
		name: "history", path: "history", title: "History", tab: "History",
		view: func(r *request) (any, error) {
			past, err := r.source.History(r.Context(), r.ref)
			if err != nil {
				return nil, err
			}
			return &historyView{Version: r.version, History: *past}, nil
		},
		live: func(view any) []fragment {
			return []fragment{
				{id: "events", template: "history-events", data: view},
				{id: "publications", template: "history-publications", data: view},
			}
		},
	}
}
