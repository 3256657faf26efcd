package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// notes writes what has changed since the tag before, as the subjects of commits say it.
func (r *release) notes(ctx context.Context) error {
	text := fmt.Sprintf("# kn-krt %s\n\n", r.Version)
	if shallow, err := r.git(ctx, "rev-parse", "--is-shallow-repository"); err != nil || shallow == "true" {
		return errors.Join(err, errors.New("the commits before are not known: fetch all of them and their tags (git fetch --unshallow --tags)"))
	}
	before, err := r.git(ctx, "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
	if err != nil { // it is the first tag
		return r.write("NOTES.md", []byte(text+"The first release.\n"))
	}
	log, err := r.git(ctx, "log", "--no-show-signature", "--no-merges", "--format=- %s", before+"..HEAD")
	if err != nil {
		return err
	}
	text += fmt.Sprintf("%d commits since %s:\n\n%s\n", strings.Count(log, "\n")+1, before, log)
	return r.write("NOTES.md", []byte(text))
}
