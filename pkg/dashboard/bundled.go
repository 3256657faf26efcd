package dashboard

import (
	"context"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/cell"
	"krt.dev/kn-krt/pkg/dashboard/chronograf"
	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// bundledPatience is how long the page waits for the store.
const bundledPatience = 20 * time.Second

// bundledView is a dashboard of the version's bundle.
type bundledView struct {
	source.Ref
	// Problem is why there is nothing; nil if there is something.
	Problem *failure
	Files   []handbook.Link
	// File is the one that is shown, Raw where it is downloaded.
	File, Raw string
	Ranges    []rangeLink
	Name      string
	Cells     []cell.Placed
	More      int
}

func bundledPage() page {
	return page{
		name: "bundled", path: "dashboards", title: "Dashboards", tab: "Dashboards", scripts: []string{"bundled.js"}, charts: true,
		view: func(r *request) (any, error) { return viewBundled(r) },
		live: func(view any) (all []fragment) {
			v, _ := view.(*bundledView)
			for _, c := range v.Cells {
				all = append(all, fragment{id: c.ID, template: "bundled-cell", data: c})
			}
			return all
		},
		follow: []follower{followRange},
		files:  map[string]func(http.ResponseWriter, *request) error{"file": bundledFile},
	}
}

// viewBundled reads the dashboard that the query names, or the first one.
func viewBundled(r *request) (*bundledView, error) {
	v := &bundledView{Ref: r.ref, File: r.URL.Query().Get("file")}
	files, err := r.source.Files(r.Context(), r.ref)
	if err != nil {
		v.Problem = explain(err)
		return v, nil
	}
	names := cell.Names(r.Context(), files)
	if len(names) == 0 {
		v.Problem = &failure{Text: "The bundle has no files in " + cell.Folder + "."}
		return v, nil
	}
	if v.File == "" {
		v.File = names[0]
	}
	for _, name := range names {
		to := r.link.Page(r.ref, "dashboards", "file", name)
		v.Files = append(v.Files, handbook.Link{Name: strings.TrimSuffix(path.Base(name), ".json"), Path: to, Current: name == v.File})
	}
	return v, v.read(r, files)
}

// read reads the file, and what its cells show.
func (v *bundledView) read(r *request, files fs.FS) error {
	text, err := cell.File(files, v.File)
	if err != nil {
		return errNoPage
	}
	v.Raw = r.link.Page(r.ref, "dashboards/file", "name", v.File)
	d, err := chronograf.Parse(text)
	if err != nil {
		v.Problem = &failure{Text: v.File + " is not shown: " + err.Error() + "."}
		return nil
	}
	v.Name, v.More = d.Name, d.More
	chosen := chosenRange(r)
	v.Ranges = chosen.links(r, "dashboards", "file", v.File)
	ctx, cancel := context.WithTimeout(r.Context(), bundledPatience)
	defer cancel()
	saved, end, err := r.source.Measurements(ctx, r.ref)
	if err != nil {
		v.Problem = explain(err)
		return nil
	}
	defer end()
	v.Cells = cell.ReadAll(ctx, d, v.Ref.Name, chosen.until(time.Now()), saved)
	return nil
}

// bundledFile sends the file, for Chronograf.
func bundledFile(w http.ResponseWriter, r *request) error {
	name := r.URL.Query().Get("name")
	files, err := r.source.Files(r.Context(), r.ref)
	if err != nil {
		return err
	}
	return sendFile(w, r, cell.Folder, name, files)
}
