package cell

import (
	"context"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"krt.dev/kn-krt/pkg/dashboard/chronograf"
	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Folder is the bundle's folder of dashboards.
const Folder = "metrics/dashboards"

// atATime is how many cells are read at a time.
const atATime = 4

// Placed is a cell with its id on the page.
type Placed struct {
	*Shown

	ID string
}

// Names are the paths of a bundle's dashboards.
func Names(ctx context.Context, files fs.FS) (names []string) {
	for _, name := range handbook.Names(ctx, files, Folder) {
		if strings.EqualFold(path.Ext(name), ".json") {
			names = append(names, name)
		}
	}
	return names
}

// File reads the file of a dashboard.
func File(files fs.FS, name string) ([]byte, error) {
	return handbook.ReadBelow(files, Folder, name, chronograf.MaxBytes+1)
}

// ReadAll reads the cells of a dashboard, some at a time. What fails is shown in its cell.
func ReadAll(ctx context.Context, d *chronograf.Dashboard, version string, span source.Span, from source.Measurements) []Placed {
	cells := make([]Placed, len(d.Cells))
	var group errgroup.Group
	group.SetLimit(atATime)
	for i, c := range d.Cells {
		group.Go(func() error {
			cells[i] = Placed{Read(ctx, c, version, span, from), "cell-" + strconv.Itoa(i+1)}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return cells
}
