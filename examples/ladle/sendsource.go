package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

// A source is the messages to send.
type source struct {
	paths []string // files and directories; none is the example
	count int
	rate  float64 // messages a second; 0 is no limit
	raw   bool    // send files as they are
	fresh bool    // give each message an MSH-10 of its own

	began time.Time
	n     int // messages so far
}

// A message is one message to send, and what it is called in the report.
type message struct {
	name string
	body []byte
}

// check says which path can't be read before anything is sent.
func (s *source) check() error {
	var errs []error
	for _, p := range s.paths {
		_, err := os.Stat(p)
		if err != nil && strings.HasPrefix(p, "-") {
			err = fmt.Errorf("%s: flags stand before the address", p)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// each calls do with every message: of a file that may hold one message, several, a batch
// or a capture with MLLP frames, of every file in a directory by name, or with the
// example. It holds one message at a time. What can't be read goes to mistake, and the rest
// is read on; an error of do ends it and is returned.
func (s *source) each(ctx context.Context, mistake func(file string, err error), do func(message) error) error {
	s.began = time.Now()
	for range s.count {
		if len(s.paths) == 0 {
			if err := s.pace(ctx, message{"the example ORU^R01", oru}, do); err != nil {
				return err
			}
		}
		for _, p := range s.paths {
			err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
				switch {
				case err != nil:
					mistake(path, err)
					return nil
				case path != p && strings.HasPrefix(d.Name(), "."):
					if d.IsDir() {
						return fs.SkipDir
					}
					return nil
				case d.IsDir():
					return nil
				}
				return s.file(ctx, path, mistake, do)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *source) file(ctx context.Context, path string, mistake func(string, error), do func(message) error) error {
	if s.raw {
		body, err := os.ReadFile(path)
		if err != nil {
			mistake(path, err)
			return nil
		}
		return s.pace(ctx, message{path, body}, do)
	}
	f, err := os.Open(path)
	if err != nil {
		mistake(path, err)
		return nil
	}
	defer f.Close()
	wrong := 0
	n := 0
	for r := hl7.NewReader(f); ; {
		item, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			if n == 0 && wrong == 0 {
				mistake(path, errors.New("no message is in it"))
			}
			return nil
		case err != nil:
			mistake(path, err)
			if wrong++; wrong == 100 {
				mistake(path, errors.New("given up: there are too many mistakes"))
				return nil
			}
		}
		if item.Kind != hl7.KindMessage {
			continue
		}
		n++
		name := path
		if n > 1 {
			name = fmt.Sprintf("%s, message %d", path, n)
		}
		if err := s.pace(ctx, message{name, bytes.Clone(item.Bytes)}, do); err != nil {
			return err
		}
	}
}

// pace waits until m is due and hands it on.
func (s *source) pace(ctx context.Context, m message, do func(message) error) error {
	if s.fresh {
		fresh, err := withFreshID(m.body, s.n)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		m.body = fresh
	}
	if s.rate > 0 && s.n > 0 {
		due := time.Duration(float64(s.n) / s.rate * float64(time.Second))
		timer := time.NewTimer(time.Until(s.began.Add(due)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.n++
	return do(m)
}

// withFreshID returns the n-th message with an MSH-10 that no other has, here or elsewhere.
func withFreshID(body []byte, n int) ([]byte, error) {
	msg, err := hl7.Parse(body)
	if err == nil {
		err = msg.Set(hl7.MustPath("MSH-10"), fmt.Sprintf("%08X%09d", rand.Uint32(), n))
	}
	if err != nil {
		return nil, err
	}
	return msg.Bytes(), nil
}
