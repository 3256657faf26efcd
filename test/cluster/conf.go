package main

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed conf
var confFiles embed.FS

// writeConf fills the components' configuration files, conf/*, into the state folder. Nodes
// after the first leave most of them unused.
func writeConf(p place) error {
	values := map[string]string{
		"State": p.State, "Data": p.Data, "Registry": registry, "Domain": domain,
		"Node": p.nodeIP(), "DNS": dnsIP, "Pods": p.podCIDR(), "Server": nodeIP,
		"NodeName": p.nodeName(), "Volume": p.volume(), "CgroupRoot": p.cgroupRoot(),
	}
	return fs.WalkDir(confFiles, "conf", func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join(p.State, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		t, err := template.ParseFS(confFiles, path)
		if err != nil {
			return err
		}
		file, err := os.Create(target)
		if err != nil {
			return err
		}
		if err := t.Execute(file, values); err != nil {
			return err
		}
		return file.Close()
	})
}
