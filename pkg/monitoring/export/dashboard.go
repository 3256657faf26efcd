package export

import (
	"fmt"

	"krt.dev/kn-krt/pkg/monitoring"
)

const (
	title = "kn-krt"
	// chosen are the matchers of what a dashboard's variables choose, interval is the range
	// that fits to the shown time: Grafana and Perses call both the same.
	chosen   = `namespace=~"$namespace",version=~"$version"`
	interval = "$__rate_interval"
)

// unitNames are a unit's names in Grafana and Perses.
type unitNames struct{ grafana, perses string }

func unitOf(u monitoring.Unit) unitNames {
	switch u {
	case monitoring.Rate:
		return unitNames{"reqps", "requests/sec"}
	case monitoring.Seconds:
		return unitNames{"s", "seconds"}
	case monitoring.Bytes:
		return unitNames{"bytes", "bytes"}
	case monitoring.Ratio:
		return unitNames{"percentunit", "percent-decimal"}
	}
	return unitNames{"short", "decimal"}
}

// row is a group of the queries of the table.
type row struct {
	group   string
	queries []monitoring.Query
}

func rows() []row {
	var all []row
	for _, q := range monitoring.Queries() {
		if len(all) == 0 || all[len(all)-1].group != q.Group {
			all = append(all, row{group: q.Group})
		}
		last := &all[len(all)-1]
		last.queries = append(last.queries, q)
	}
	return all
}

// Sizes in a grid of 24 columns.
const width, height = 12, 8

// grafana is a dashboard in Grafana's format, to be imported.
func grafana() object {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	var panels []any
	id, y := 0, 0
	for _, r := range rows() {
		id++
		panels = append(panels, object{
			"id": id, "type": "row", "title": r.group, "collapsed": false, "panels": []any{},
			"gridPos": object{"x": 0, "y": y, "w": 24, "h": 1},
		})
		y++
		for i, q := range r.queries {
			id++
			panels = append(panels, object{
				"id": id, "type": "timeseries", "title": q.Title, "description": q.Question + " " + q.About, "datasource": source,
				"gridPos":     object{"x": i % 2 * width, "y": y + i/2*height, "w": width, "h": height},
				"fieldConfig": object{"defaults": object{"unit": unitOf(q.Unit).grafana, "min": 0}, "overrides": []any{}},
				"targets": []any{object{
					"refId": "A", "datasource": source, "expr": q.Expr(chosen, interval), "legendFormat": q.Legend,
				}},
			})
		}
		y += (len(r.queries) + 1) / 2 * height
	}
	return object{
		"title": title, "uid": "kn-krt", "schemaVersion": 39, "version": 1, "editable": true, "tags": []any{title},
		"time": object{"from": "now-1h", "to": "now"}, "refresh": "30s", "panels": panels,
		"templating": object{"list": []any{
			object{"name": "datasource", "type": "datasource", "query": "prometheus"},
			grafanaVariable("namespace", "label_values(krt_requests_total, namespace)"),
			grafanaVariable("version", `label_values(krt_requests_total{namespace=~"$namespace"}, version)`),
		}},
	}
}

func grafanaVariable(name, query string) object {
	return object{
		"name": name, "type": "query", "query": query, "datasource": object{"type": "prometheus", "uid": "${datasource}"},
		"refresh": 2, "multi": true, "includeAll": true, "allValue": ".*", "sort": 1,
		"current": object{"text": "All", "value": "$__all"},
	}
}

// perses is a dashboard in Perses' format.
func perses() object {
	panels, layouts := object{}, []any{}
	for _, r := range rows() {
		var items []any
		for i, q := range r.queries {
			key := fmt.Sprintf("panel%d", len(panels)+1)
			panels[key] = persesPanel(q)
			items = append(items, object{
				"x": i % 2 * width, "y": i / 2 * height, "width": width, "height": height,
				"content": object{"$ref": "#/spec/panels/" + key},
			})
		}
		layouts = append(layouts, object{"kind": "Grid", "spec": object{"display": object{"title": r.group}, "items": items}})
	}
	return object{
		"kind": "Dashboard", "metadata": object{"name": "kn-krt", "project": "default"},
		"spec": object{
			"display": object{"name": title}, "duration": "1h", "refreshInterval": "30s", "panels": panels, "layouts": layouts,
			"variables": []any{persesVariable("namespace", "krt_requests_total"),
				persesVariable("version", `krt_requests_total{namespace=~"$namespace"}`)},
		},
	}
}

func persesPanel(q monitoring.Query) object {
	query := object{"kind": "PrometheusTimeSeriesQuery", "spec": object{"query": q.Expr(chosen, interval), "seriesNameFormat": q.Legend}}
	return object{"kind": "Panel", "spec": object{
		"display": object{"name": q.Title, "description": q.Question + " " + q.About},
		"plugin": object{"kind": "TimeSeriesChart", "spec": object{
			"legend": object{"position": "bottom"},
			"yAxis":  object{"min": 0, "format": object{"unit": unitOf(q.Unit).perses}},
		}},
		"queries": []any{object{"kind": "TimeSeriesQuery", "spec": object{"plugin": query}}},
	}}
}

func persesVariable(label, metric string) object {
	return object{"kind": "ListVariable", "spec": object{
		"name": label, "allowAllValue": true, "allowMultiple": true, "defaultValue": []any{"$__all"}, "sort": "alphabetical-asc",
		"plugin": object{"kind": "PrometheusLabelValuesVariable", "spec": object{"labelName": label, "matchers": []any{metric}}},
	}}
}
