package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ladlehq/ladle/engine"
)

// lines is a receiver: each line of a reader is a message.
type lines struct{ in io.Reader }

func (l *lines) Open(context.Context) error { return nil }
func (l *lines) Close() error               { return nil }

func (l *lines) Serve(ctx context.Context, h engine.Handler) error {
	s := bufio.NewScanner(l.in)
	for ctx.Err() == nil && s.Scan() {
		reply := h.Handle(ctx, engine.NewMessage(bytes.Clone(s.Bytes())))
		fmt.Println("answered:", reply.Class)
	}
	return s.Err()
}

func ExampleEngine_Run() {
	eng, err := engine.New([]engine.Workflow{{
		Name:     "Greet",
		Receiver: &lines{strings.NewReader("Eve\nMallory\n")},
		Activities: []engine.Step{
			{Activity: engine.ActivityFunc(func(_ context.Context, m *engine.Message) error {
				if string(m.Body()) == "Mallory" {
					return fmt.Errorf("not welcome: %w", engine.ErrRejected)
				}
				return nil
			})},
			{Activity: engine.ActivityFunc(func(_ context.Context, m *engine.Message) error {
				fmt.Printf("Hello, %s!\n", m.Body())
				return nil
			})},
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(eng.Run(context.Background()))
	// Output:
	// Hello, Eve!
	// answered: accepted
	// answered: rejected
	// <nil>
}

// A pause is an activity that a workflow file can name.
type pause struct {
	For time.Duration `yaml:"for"`
}

func (p *pause) Prepare(engine.Env) error {
	if p.For <= 0 {
		return engine.InField("for", errors.New("missing: write for example 2s"))
	}
	return nil
}

func (p *pause) Do(ctx context.Context, _ *engine.Message) error {
	select {
	case <-time.After(p.For):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func ExampleLoad() {
	var reg engine.Registry
	if err := errors.Join(engine.RegisterReceiver[source](&reg, "source"), engine.RegisterActivity[pause](&reg, "pause")); err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "workflow.yaml")
	text := `
workflows:
  - name: Slow
    receiver: {source: {form: here}}
    activities:
      - pause: {for: 2}
      - pause: {}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, err = engine.Load(&reg, file)
	fmt.Println(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	// Output:
	// workflow.yaml:4:25: unknown key "form": did you mean "from"?
	// workflow.yaml:6:22: 2 is a time without a unit: write 2s or 2m
	// workflow.yaml:7:16: for: missing: write for example 2s
}
