package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages installs what of Debian the node consists of.
func (s *steps) packages(ctx context.Context) error {
	var missing []string
	for _, need := range []struct{ file, name string }{
		{"/usr/bin/containerd", "containerd"},
		{"/usr/sbin/runc", "runc"},
		{"/usr/lib/cni/bridge", "containernetworking-plugins"},
		{"/usr/sbin/iptables", "iptables"},
		{"/usr/sbin/conntrack", "conntrack"},
		{"/usr/bin/socat", "socat"},
		{"/etc/ssl/certs/ca-certificates.crt", "ca-certificates"},
	} {
		if _, err := os.Stat(need.file); err != nil {
			missing = append(missing, need.name)
		}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		missing = append(missing, "iproute2")
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("not installed, and there is no apt-get to install them: %s\n%s", strings.Join(missing, " "), elsewhere)
	}
	return s.do("install "+strings.Join(missing, " "), func() error {
		if _, err := command(ctx, exec.CommandContext(ctx, "apt-get", "update", "-q")); err != nil {
			return err
		}
		// The services that come with the packages are not wanted to start.
		install := exec.CommandContext(ctx, "apt-get", append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...)...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		_, err := command(ctx, install)
		return err
	})
}

// layBase lays out the least that a Go program wants: CA bundle, users, /tmp.
func layBase(dir string) error {
	for _, d := range []string{"etc/ssl/certs", "home/nonroot", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), os.ModeSticky|0o777); err != nil {
		return err
	}
	const users = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
	return errors.Join(
		copyFile("/etc/ssl/certs/ca-certificates.crt", filepath.Join(dir, "etc/ssl/certs/ca-certificates.crt"), 0o644),
		os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte(users), 0o644),
		os.WriteFile(filepath.Join(dir, "etc/group"), []byte("root:x:0:\nnonroot:x:65532:\n"), 0o644),
	)
}

// notInImages are packages that Python's only names for its installation, and
// that are not needed to run it.
var notInImages = map[string]bool{
	"dpkg": true, "tar": true, "perl-base": true, "perl": true, "install-info": true, "debconf": true,
	"mailcap": true, "mime-support": true, "media-types": true, "readline-common": true,
}

// downloadPython fetches Debian's Python with protobuf. It needs the network,
// so it is done before the cluster's is entered.
func downloadPython(ctx context.Context, dir string) error {
	args := []string{"depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
		"--no-replaces", "--no-enhances", "python3", "python3-protobuf"}
	list, err := command(ctx, exec.CommandContext(ctx, "apt-cache", args...))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	var names []string
	for line := range strings.Lines(list) {
		name := strings.TrimSpace(line)
		// A package begins a line; what it depends on is indented, a virtual one is in <>.
		if line[0] == ' ' || line[0] == '<' || seen[name] || notInImages[name] || strings.HasPrefix(name,
			"perl") || strings.HasPrefix(name, "libperl") {
			continue
		}
		seen[name] = true
		names = append(names, name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	get := exec.CommandContext(ctx, "apt-get", append([]string{"download", "-q", "-o", "APT::Sandbox::User=root"}, names...)...)
	get.Dir = dir
	_, err = command(ctx, get)
	return err
}

// layPython unpacks what downloadPython fetched, and tries it.
func layPython(ctx context.Context, p place, dir string) error {
	packages, err := filepath.Glob(filepath.Join(pythonDir(p), "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range packages {
		if _, err := command(ctx, exec.CommandContext(ctx, "dpkg", "-x", file, dir)); err != nil {
			return err
		}
	}
	// Newer Debians have everything below /usr and rely on links that no package brings.
	for _, name := range []string{"bin", "lib", "lib64"} {
		_, usr := os.Lstat(filepath.Join(dir, "usr", name))
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil && usr == nil {
			if err := os.Symlink("usr/"+name, filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"usr/share/doc", "usr/share/man", "usr/share/locale"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	// As the packages do when they are installed; layers keep no times, by which bytecode is otherwise compared.
	compile := exec.CommandContext(ctx, "chroot", dir, "/usr/bin/python3", "-m", "compileall", "-q", "-q",
		"--invalidation-mode", "unchecked-hash", "/usr/lib")
	_, _ = command(ctx, compile) // some files are for another Python
	try := exec.CommandContext(ctx, "chroot", dir, "/usr/bin/python3", "-c", "import google.protobuf.message, json, sqlite3, ssl")
	_, err = command(ctx, try)
	return err
}

func pythonDir(p place) string { return filepath.Join(p.Cache, "python") }
