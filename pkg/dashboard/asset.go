package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// embedded are the templates and the files that browsers load.
//
//go:embed templates assets
var embedded embed.FS

// assetFiles are the files that browsers load, by name. All styles of ours are one file, app.css.
type assetFiles struct {
	files  map[string][]byte
	digest string // of all of them: the files of one path never change
}

// appStyles is the name of the file that all of assets/css becomes.
const appStyles = "app.css"

// embeddedAssets reads the embedded files. They are part of the program: an error is a fault of it.
func embeddedAssets() *assetFiles {
	a := &assetFiles{files: map[string][]byte{}}
	digest := sha256.New()
	err := fs.WalkDir(embedded, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		_, _ = digest.Write(text) // a hash returns no error
		short := path.Base(name)
		if path.Dir(name) == "assets/css" {
			a.files[appStyles] = append(a.files[appStyles], text...)
			return nil
		}
		a.files[short] = text
		return nil
	})
	if err != nil {
		panic(err)
	}
	a.digest = hex.EncodeToString(digest.Sum(nil))[:12]
	return a
}

// serve writes the file, which a browser may keep: another version of it has another path.
func (a *assetFiles) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	text, ok := a.files[name]
	if !ok || r.PathValue("digest") != a.digest {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}
