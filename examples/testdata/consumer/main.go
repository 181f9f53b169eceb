// A program of somebody else's, with a receiver and an activity of its own.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/receivers"
)

// lines is a receiver: each line of a reader is a message.
type lines struct {
	in io.ReadCloser
}

func (l *lines) Open(context.Context) error { return nil }

func (l *lines) Serve(ctx context.Context, h engine.Handler) error {
	s := bufio.NewScanner(l.in)
	for ctx.Err() == nil && s.Scan() {
		reply := h.Handle(ctx, engine.NewMessage(bytes.Clone(s.Bytes())))
		fmt.Println("answered:", reply.Class)
	}
	return s.Err()
}

func (l *lines) Close() error { return l.in.Close() }

// upper is an activity: it writes the message in capitals.
type upper struct {
	Suffix string `yaml:"suffix"`
}

func (u *upper) Prepare(engine.Env) error {
	if u.Suffix == "" {
		return engine.InField("suffix", fmt.Errorf("missing"))
	}
	return nil
}

func (u *upper) Do(_ context.Context, m *engine.Message) error {
	m.SetBody(append(bytes.ToUpper(m.Body()), u.Suffix...))
	return nil
}

var (
	_ engine.Receiver = (*lines)(nil)
	_ engine.Activity = (*upper)(nil)
	_ engine.Receiver = (*receivers.HTTP)(nil)
)

func main() {
	var reg engine.Registry
	if err := engine.RegisterActivity[upper](&reg, "upper"); err != nil {
		panic(err)
	}
	eng, err := engine.New([]engine.Workflow{{
		Name:     "Lines",
		Receiver: &lines{in: os.Stdin},
		Activities: []engine.Step{
			{Activity: &upper{Suffix: "!"}},
			{Activity: &activities.WriteToDisk{Directory: os.Args[1], File: "line.txt"}},
		},
	}})
	if err == nil {
		err = eng.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
