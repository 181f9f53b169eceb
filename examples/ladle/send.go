package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
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

// mllpPort is the port that is registered for HL7.
const mllpPort = "2575"

// A sending is what one send is to do.
type sending struct {
	address         string
	tls             *tlsconfig.Client // nil unless the address wants it
	timeout         time.Duration
	connections     int
	window          int
	release         int
	acknowledgement activities.Acknowledgement

	ca, pin  string
	insecure bool
}

// flags defines what is said of the partner.
func (s *sending) flags(fs *flag.FlagSet) {
	fs.StringVar(&s.ca, "ca", "", "trust the certification authority, or the very certificate, in this PEM `file`")
	fs.StringVar(&s.pin, "pin", "", "trust the certificate with this `thumbprint`, SHA-256 or SHA-1, and no other")
	fs.BoolVar(&s.insecure, "insecure", false, "trust any certificate: for a test, never for patients' data")
	fs.DurationVar(&s.timeout, "timeout", activities.DefaultSendTimeout, "how long an answer may take")
	fs.IntVar(&s.window, "window", 1, "have so many messages in flight on each connection, where an mllp partner agrees")
	fs.TextVar(&s.acknowledgement, "acknowledgement", activities.AcknowledgementHL7, "what counts as acceptance: hl7 (what each message asks for), application, accept, status or none")
	fs.IntVar(&s.release, "release", 1, "the `release` of MLLP that the partner speaks, 1 or 2")
}

// settle checks the flags for an address, and makes the settings of TLS of them.
func (s *sending) settle(c *call, address string) error {
	if s.connections < 1 || s.window < 1 || s.connections*s.window > 10_000 {
		return errors.New("-connections and -window are 1 or more, and there are 10000 messages in flight at most")
	}
	trust := tlsconfig.Trust{Insecure: s.insecure}
	if s.ca != "" {
		trust.CAFiles = []string{s.ca}
	}
	if s.pin != "" {
		t, err := tlsconfig.ParseThumbprint(s.pin)
		if err != nil {
			return fmt.Errorf("-pin: %w", err)
		}
		if removed := t.Removed(); removed != "" {
			fmt.Fprintf(c.stderr, "-pin: %s\n", removed)
		}
		trust.Thumbprints = []tlsconfig.Thumbprint{t}
	}
	s.address, s.tls = address, &tlsconfig.Client{Trust: trust}
	if !strings.HasPrefix(s.address, "https:") && !strings.HasPrefix(s.address, "mllps:") {
		s.tls = nil
		if s.ca != "" || s.pin != "" || s.insecure {
			return fmt.Errorf("-ca, -pin and -insecure are for TLS, which %q has not: write https:// or mllps://", s.address)
		}
	}
	return nil
}

// send sends messages to an address and prints what is answered.
func send(ctx context.Context, c *call) error {
	var s sending
	var src source
	s.flags(c.flags)
	c.flags.IntVar(&src.count, "count", 1, "send everything so many `times`")
	c.flags.IntVar(&s.connections, "connections", 1, "send over so many connections at once; messages may overtake each other")
	c.flags.Float64Var(&src.rate, "rate", 0, "send at most so many messages a second; 0 is as fast as the partner answers")
	c.flags.BoolVar(&src.raw, "raw", false, "send each file as it is, as one message, whatever is in it")
	c.flags.BoolVar(&src.fresh, "new-ids", false, "give each message a new MSH-10, for partners that take a repeated one for a duplicate")
	all := c.flags.Bool("all", false, fmt.Sprintf("print every acknowledgement, not only the first %d, and the first %d that don't accept", firstAnswers, firstFailures))
	if err := c.parse(1, -1); err != nil {
		return err
	}
	switch {
	case src.count < 1:
		return errors.New("-count, -connections and -window are 1 or more")
	case src.rate < 0:
		return errors.New("-rate can't be negative")
	}
	src.paths = c.args[1:]
	if err := s.settle(c, c.args[0]); err != nil {
		return err
	}
	if err := src.check(); err != nil {
		return err
	}
	sender, err := s.open(ctx, c)
	if err != nil {
		return err
	}
	report := newReport(c.stdout, c.stderr, *all)
	err = s.run(ctx, c, sender, &src, report)
	err = errors.Join(err, sender.Close())
	report.finish()
	if err != nil {
		return err
	}
	if report.failed > 0 {
		return errReported
	}
	return nil
}

// A partner is a sender that is open.
type partner interface {
	engine.Sender
	engine.Preparer
	engine.Opener
}

// open makes the sender for the address.
func (s *sending) open(ctx context.Context, c *call) (partner, error) {
	var p partner
	u, err := url.Parse(s.address)
	switch {
	case err != nil || u.Host == "":
		return nil, noAddress(s.address)
	case u.Scheme == "http", u.Scheme == "https":
		if s.release != 1 || s.window != 1 {
			return nil, errors.New("-release and -window are of MLLP: write mllp:// or mllps://")
		}
		p = &activities.HTTPSender{URL: s.address, TLS: s.tls, Timeout: s.timeout, MaxConnections: s.connections, Acknowledgement: s.acknowledgement}
	case u.Scheme == "mllp", u.Scheme == "mllps":
		if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%q has more in it than MLLP knows: write a host and a port, such as mllp://lab.example:2575", u.Redacted())
		}
		p = &activities.MLLPSender{
			Address: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), mllpPort)), TLS: s.tls, AcknowledgementTimeout: s.timeout,
			Connections: s.connections, Window: s.window, Release: s.release, Acknowledgement: s.acknowledgement,
		}
	default:
		return nil, noAddress(s.address)
	}
	env := engine.Env{Format: hl7v2.Format{}, Logger: logger(c.stderr, zapcore.WarnLevel)}
	if err := p.Prepare(env); err != nil {
		return nil, err
	}
	return p, p.Open(ctx)
}

func noAddress(address string) error {
	if u, err := url.Parse(address); err == nil {
		address = u.Redacted()
	}
	return fmt.Errorf("%q is no address of a partner: write for example mllp://lab.example:2575, mllps://..., or https://lab.example:8443/hl7", address)
}

// run sends what src has, with as many messages at once as may be in flight. The first
// Ctrl-C ends it after those that are.
func (s *sending) run(ctx context.Context, c *call, p partner, src *source, report *report) error {
	soft, release := interrupts(ctx, c.stderr)
	defer release()
	messages := make(chan message)
	var wg sync.WaitGroup
	for range s.connections * s.window {
		wg.Go(func() {
			for m := range messages {
				began := time.Now()
				reply, err := p.Send(ctx, engine.NewMessage(m.body))
				report.add(m, reply, err, time.Since(began))
			}
		})
	}
	err := src.each(soft, report.mistake, func(m message) error {
		select {
		case messages <- m:
			return nil
		case <-soft.Done():
			return soft.Err()
		}
	})
	close(messages)
	wg.Wait()
	if soft.Err() != nil {
		return errors.New("interrupted: not everything was sent")
	}
	return err
}
