package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap/zapcore"
)

// oru is what is sent when no file is named: a laboratory's result, as the HL7 standard
// itself gives it for an example.
//
//go:embed testdata/oru.hl7
var oru []byte

// send sends messages to an address and prints what is answered.
func send(ctx context.Context, c *call) error {
	ca := c.flags.String("ca", "", "trust the certification authority, or the very certificate, in this PEM `file`")
	pin := c.flags.String("pin", "", "trust the certificate with this `thumbprint`, SHA-256 or SHA-1, and no other")
	insecure := c.flags.Bool("insecure", false, "trust any certificate: for a test, never for patients' data")
	timeout := c.flags.Duration("timeout", activities.DefaultSendTimeout, "how long an answer may take")
	if err := c.parse(1, -1); err != nil {
		return err
	}
	client := &tlsconfig.Client{Trust: tlsconfig.Trust{Insecure: *insecure}}
	if *ca != "" {
		client.Trust.CAFiles = []string{*ca}
	}
	if *pin != "" {
		var t tlsconfig.Thumbprint
		if err := t.UnmarshalText([]byte(*pin)); err != nil {
			return fmt.Errorf("-pin: %w", err)
		}
		if removed := t.Removed(); removed != "" {
			fmt.Fprintf(c.stderr, "-pin: %s\n", removed)
		}
		client.Trust.Thumbprints = []tlsconfig.Thumbprint{t}
	}
	address := c.args[0]
	s := &activities.HTTPSender{URL: address, Timeout: *timeout}
	if strings.HasPrefix(address, "https:") {
		s.TLS = client
	}
	env := engine.Env{Format: hl7v2.Format{}, Logger: logger(c.stderr, zapcore.WarnLevel)}
	if err := s.Prepare(env); err != nil {
		return err
	}
	if err := s.Open(ctx); err != nil {
		return err
	}
	defer s.Close()

	type message struct {
		name string
		body []byte
	}
	messages := []message{{"the example ORU^R01", oru}}
	if files := c.args[1:]; len(files) > 0 {
		messages = nil
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			messages = append(messages, message{file, body})
		}
	}
	failed := 0
	for _, m := range messages {
		began := time.Now()
		reply, err := s.Send(ctx, engine.NewMessage(m.body))
		took := time.Since(began).Round(time.Millisecond / 10)
		if err != nil {
			failed++
			fmt.Fprintf(c.stderr, "%s: not accepted after %v: %v\n", m.name, took, err)
		} else {
			fmt.Fprintf(c.stderr, "%s: accepted after %v\n", m.name, took)
		}
		if len(reply.Body) > 0 {
			fmt.Fprintf(c.stdout, "%s\n", forTerminal(reply.Body))
		}
	}
	if failed > 0 {
		return errReported
	}
	return nil
}

// forTerminal shows each segment on a line of its own, and no control character that a
// peer could steer a terminal with.
func forTerminal(body []byte) []byte {
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	body = bytes.ReplaceAll(body, []byte("\r"), []byte("\n"))
	body = bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '.'
		}
		return r
	}, body)
	return bytes.TrimRight(body, "\n")
}
