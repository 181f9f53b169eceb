package main

import (
	"context"
	"fmt"

	"github.com/ladlehq/ladle/engine"
)

// check reports the mistakes of files and runs nothing.
func check(_ context.Context, c *call) error {
	if err := c.parse(1, -1); err != nil {
		return err
	}
	r, err := registry()
	if err != nil {
		return err
	}
	failed := false
	for _, file := range c.args {
		config, err := engine.Load(r, file)
		if err != nil {
			failed = true
			fmt.Fprintln(c.stderr, err)
			continue
		}
		n := len(config.Workflows)
		fmt.Fprintf(c.stdout, "%s: %d %s, no mistakes\n", file, n, plural(n, "workflow"))
	}
	if failed {
		return errReported
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
