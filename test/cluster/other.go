//go:build !linux

package main

import (
	"context"
	"errors"
)

func up(context.Context, place, *steps) error      { return errors.New(elsewhere) }
func down(context.Context, place, *steps) error    { return errors.New(elsewhere) }
func enter(context.Context, place, []string) error { return errors.New(elsewhere) }
func initCluster(place) error                      { return errors.New(elsewhere) }
