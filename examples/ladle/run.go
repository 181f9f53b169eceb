package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ladlehq/ladle/engine"
	"go.uber.org/zap/zapcore"
)

// run runs the workflows of a file.
func run(ctx context.Context, c *call) error {
	grace := c.flags.Duration("grace", engine.DefaultGrace, "how long messages may take to finish at a stop")
	verbose := c.flags.Bool("v", false, "log each message")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	r, err := registry()
	if err != nil {
		return err
	}
	config, err := engine.Load(r, c.args[0])
	if err != nil {
		return err
	}
	level := zapcore.InfoLevel
	if *verbose {
		level = zapcore.DebugLevel
	}
	log := logger(c.stderr, level)
	eng, err := config.Engine(engine.WithLogger(log), engine.WithGrace(*grace))
	if err != nil {
		return err
	}
	ctx, stop := interrupts(ctx, c.stderr)
	defer stop()
	if err := eng.Start(ctx); err != nil {
		return err
	}
	for _, name := range eng.Workflows() {
		if err := eng.Health(name); err != nil {
			fmt.Fprintf(c.stdout, "%s: waits: %v\n", name, err)
		} else if url := eng.URL(name); url != "" {
			fmt.Fprintf(c.stdout, "%s: %s\n", name, url)
		}
	}
	return wait(ctx, eng, *grace)
}

// wait lets a started engine run until ctx ends or a receiver fails, and stops it.
func wait(ctx context.Context, eng *engine.Engine, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- eng.Wait() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := eng.Shutdown(left)
	if failure := <-failed; err == nil {
		err = failure
	}
	return err
}
