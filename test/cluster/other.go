//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

func up(context.Context, place, *steps) error      { return errors.New(elsewhere) }
func down(context.Context, place, *steps) error    { return errors.New(elsewhere) }
func enter(context.Context, place, []string) error { return errors.New(elsewhere) }
func initCluster(place) error                      { return errors.New(elsewhere) }
func initNode(place, []string) error               { return errors.New(elsewhere) }
func nodeVerb(context.Context, place, *steps, []string) error {
	return errors.New(elsewhere)
}
func printNodes(context.Context, place, io.Writer) error { return errors.New(elsewhere) }
