package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// machines are the names that images have for the processors of programs.
func machines() map[elf.Machine][]string {
	return map[elf.Machine][]string{
		elf.EM_X86_64:    {"amd64"},
		elf.EM_AARCH64:   {"arm64"},
		elf.EM_386:       {"386"},
		elf.EM_ARM:       {"arm"},
		elf.EM_PPC64:     {"ppc64le", "ppc64"},
		elf.EM_S390:      {"s390x"},
		elf.EM_RISCV:     {"riscv64"},
		elf.EM_LOONGARCH: {"loong64"},
	}
}

// checkProgram reports whether the file is a program for the platform, and whether it runs
// without anything else.
func checkProgram(path string, p v1.Platform) (static bool, err error) {
	file, err := elf.Open(path)
	var format *elf.FormatError
	if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, errors.New("it is not a program for Linux: build it with GOOS=linux")
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if is := machines()[file.Machine]; len(is) > 0 && !slices.Contains(is, p.Architecture) {
		return false, fmt.Errorf("it is a program for linux/%s, and the image is for %s: build it with GOARCH=%s", is[0], p, p.Architecture)
	}
	interpreted := slices.ContainsFunc(file.Progs, func(part *elf.Prog) bool { return part.Type == elf.PT_INTERP })
	return !interpreted, nil
}
