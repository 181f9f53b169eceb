package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
	"github.com/ladlehq/ladle/hl7/standard/v2xml"
)

// show prints the messages of files for people, or in another form.
func show(_ context.Context, c *call) error {
	asJSON := c.flags.Bool("json", false, "print each message in JSON, a line for each")
	asXML := c.flags.Bool("xml", false, "print each message in the standard's XML")
	findings := c.flags.Bool("validate", false, "print what isn't as the standard has it; fail when that is an error")
	if err := c.parse(1, -1); err != nil {
		return err
	}
	printed := printTree
	switch {
	case *asJSON:
		printed = printJSON
	case *asXML:
		printed = printXML
	case *findings:
		printed = printFindings
	}
	failed := false
	for _, file := range c.args {
		err := eachMessage(file, func(m *hl7.Message) error { return printed(c.stdout, m) })
		if err != nil {
			failed = true
			fmt.Fprintf(c.stderr, "%s: %v\n", file, err)
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// eachMessage calls do with every message of a file, which may be one message, several, a
// batch or a capture with MLLP frames. It goes on behind what can't be read.
func eachMessage(file string, do func(*hl7.Message) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var errs []error
	for r := hl7.NewReader(f); ; {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err != nil {
			errs = append(errs, err)
			if len(errs) > 100 {
				return errors.Join(append(errs, errors.New("there are more mistakes"))...)
			}
		}
		if item.Kind != hl7.KindMessage {
			continue
		}
		m, err := hl7.Parse(item.Bytes)
		if err == nil {
			err = do(m)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
}

func printTree(w io.Writer, m *hl7.Message) error {
	d, _ := standard.Version(m.Header().Version())
	return m.WriteTree(w, func(p hl7.Path) string {
		about, _ := d.DescribeIn(m, p)
		return about
	})
}

func printJSON(w io.Writer, m *hl7.Message) error {
	b, err := json.Marshal(m)
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

func printXML(w io.Writer, m *hl7.Message) error {
	b, err := v2xml.Marshal(m)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

func printFindings(w io.Writer, m *hl7.Message) error {
	wrong := 0
	for f := range standard.Validate(m) {
		if f.Severity == standard.Error {
			wrong++
		}
		fmt.Fprintln(w, f)
	}
	if wrong > 0 {
		return fmt.Errorf("%d %s in a message", wrong, plural(wrong, "error"))
	}
	return nil
}

// diff prints what changes from one message to another.
func diff(_ context.Context, c *call) error {
	ignore := c.flags.String("ignore", "", "paths to leave out, with commas between, such as MSH-7,MSH-10")
	if err := c.parse(2, 2); err != nil {
		return err
	}
	var paths []hl7.Path
	for s := range strings.SplitSeq(*ignore, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		p, err := hl7.ParsePath(s)
		if err != nil {
			return err
		}
		paths = append(paths, p)
	}
	var messages [2]*hl7.Message
	for i, file := range c.args {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		raw = bytes.TrimLeft(raw, "\x0b")
		raw, _, _ = bytes.Cut(raw, []byte{0x1c})
		if messages[i], err = hl7.Parse(raw); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	differ := false
	for d := range hl7.Diff(messages[0], messages[1], paths...) {
		differ = true
		fmt.Fprintln(c.stdout, d)
	}
	if differ {
		return errReported
	}
	return nil
}
