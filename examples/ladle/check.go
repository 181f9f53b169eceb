package main

import (
	"context"
	"fmt"
	"reflect"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
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
		for _, t := range thumbprints(reflect.ValueOf(config.Workflows), 0) {
			if removed := t.Removed(); removed != "" {
				fmt.Fprintf(c.stderr, "%s: thumbprint %s: %s\n", file, t, removed)
			}
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

// thumbprints returns those in the settings of any receiver or activity: only they know
// where they keep them.
func thumbprints(v reflect.Value, depth int) (all []tlsconfig.Thumbprint) {
	const deepest = 30 // no file nests so deep, and what isn't out of a file may be a circle
	if depth > deepest {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			all = thumbprints(v.Elem(), depth+1)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, thumbprints(v.Index(i), depth+1)...)
		}
	case reflect.Struct:
		for f, x := range v.Fields() {
			if f.IsExported() && f.Tag.Get("yaml") != "" && f.Tag.Get("yaml") != "-" {
				all = append(all, thumbprints(x, depth+1)...)
			}
		}
	case reflect.String:
		if t, ok := v.Interface().(tlsconfig.Thumbprint); ok {
			all = append(all, t)
		}
	}
	return all
}
