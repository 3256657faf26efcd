// Command release makes a release of kn-krt: make release VERSION=v0.1.0.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"krt.dev/kn-krt/pkg/release"
)

func main() {
	o := release.Options{Root: ".", Repository: os.Getenv("KO_DOCKER_REPO"), Key: os.Getenv("COSIGN_KEY"), Log: os.Stderr}
	flag.StringVar(&o.Version, "version", "", "the release's version, which is the tag of the commit: v0.1.0")
	flag.StringVar(&o.Dist, "dist", "dist", "folder that is created")
	flag.StringVar(&o.URL, "url", "", "address of the folder from which people will download it")
	flag.StringVar(&o.Ko, "ko", "ko", "the program ko")
	cosign := flag.String("cosign", "cosign", "the program cosign, with arguments that are passed on")
	programs := flag.String("platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64", "of programs")
	images := flag.String("image-platforms", "linux/amd64,linux/arm64", "of images")
	flag.Parse()
	o.Cosign, o.ImagePlatforms = strings.Fields(*cosign), strings.Split(*images, ",")
	o.Platforms = strings.FieldsFunc(*programs, func(r rune) bool { return r == ',' })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := release.Make(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
