package activities

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// DefaultReconnectPause is the longest pause between two attempts of an [MLLPSender] to
// connect when nothing else is set.
const DefaultReconnectPause = 5 * time.Second

// MLLPSender sends each message over MLLP (HL7 v2 Transport Specification) and waits for
// the partner's acknowledgement of it. It is a sender for [ForwardToSender].
//
// An acknowledgement is credited to the message whose MSH-10 is its MSA-2, or to none.
// After a timeout, or anything else that isn't the acknowledgement that was awaited, the
// connection is closed, so that what comes late on it meets nobody. A connection that was
// kept open is looked at before it is used again: when the partner has closed it, or has
// sent what nobody asked for, a new one is made before anything is sent. A message is
// sent once by each Send.
//
// Messages go out in the order in which Send is called as long as there is one
// connection.
//
// In a file it is `mllp: {...}`. The zero value lacks an address.
type MLLPSender struct {
	// Address is the partner's host and port, such as lab.example:2575. It is required.
	Address string `yaml:"address"`
	// TLS says whom to trust and as whom to appear. Nil sends without TLS.
	TLS *tlsconfig.Client `yaml:"tls"`
	// Acknowledgement is what counts as acceptance. The default is AcknowledgementHL7.
	// AcknowledgementStatus is of HTTP, and a mistake here. With AcknowledgementNone and
	// Release 2 the commit block confirms the message.
	Acknowledgement Acknowledgement `yaml:"acknowledgement"`
	// Release is the release of MLLP that the partner speaks, 1 or 2. With 2 each message
	// wants a commit block in front of any acknowledgement. The default is 1.
	Release int `yaml:"release"`

	// Connections is how many connections may be open at one time; further messages wait.
	// With more than one, messages may overtake each other. The default is 1.
	Connections int `yaml:"connections"`
	// Window is how many messages may be in flight on each connection, for a partner that
	// agrees; MLLP itself knows one. Acknowledgements are then matched by MSH-10, which
	// every message must have, and what goes wrong with one message closes the connection
	// under all of them. It doesn't go together with Release 2. The default is 1.
	Window int `yaml:"window"`
	// CloseAfterEach makes a connection for each message, for partners that can't keep
	// one open.
	CloseAfterEach bool `yaml:"close-after-each"`
	// IdleTimeout is how long a connection may have been idle to be used again. The
	// default is no limit.
	IdleTimeout time.Duration `yaml:"idle-timeout"`
	// KeepAlive is the pause between the probes of TCP that find a partner which has gone
	// without a word. The default is 15 s; a negative value sends none.
	KeepAlive time.Duration `yaml:"keep-alive"`

	// ConnectTimeout bounds connecting, TLS included. The default is 10 s.
	ConnectTimeout time.Duration `yaml:"connect-timeout"`
	// WriteTimeout bounds handing a message to the connection. The default is 30 s.
	WriteTimeout time.Duration `yaml:"write-timeout"`
	// AcknowledgementTimeout bounds the time from there to the last acknowledgement that is
	// awaited. The default is 30 s.
	AcknowledgementTimeout time.Duration `yaml:"acknowledgement-timeout"`
	// ReconnectPause is the longest pause behind an attempt to connect that failed. The
	// first is 100 ms, and each further one twice as long. During a pause messages fail at
	// once with [engine.ErrUnreachable]. The default is 5 s.
	ReconnectPause time.Duration `yaml:"reconnect-pause"`
	// ReplyLimit bounds the size of an acknowledgement. The default is 16 MiB.
	ReplyLimit engine.Size `yaml:"reply-limit"`
	// Framing is the bytes around messages, for partners that use others than the
	// standard's: in a file as hexadecimal digits, such as "02 03". The default is
	// "0B 1C 0D".
	Framing mllp.Framing `yaml:"framing"`

	log    *zap.Logger
	format engine.Format
	away   backoff
	source *tlsconfig.Source
	slots  chan struct{} // holds a token for each message that is under way

	clients []*mllp.Client
	mu      sync.Mutex
	loads   []int // messages under way on each client
	closed  bool
}

// Prepare checks the settings.
func (s *MLLPSender) Prepare(env engine.Env) error {
	s.log, s.format = env.Logger, env.Format
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, engine.InField(field, fmt.Errorf(format, args...)))
	}
	host, port, err := net.SplitHostPort(s.Address)
	_, noPort := strconv.ParseUint(port, 10, 16)
	switch {
	case s.Address == "":
		bad("address", "missing: write the partner's host and port, such as lab.example:2575")
	case strings.Contains(s.Address, "://"):
		bad("address", "%q is a URL: write the host and the port alone, such as lab.example:2575", s.Address)
	case err != nil || host == "" || noPort != nil || port == "0":
		bad("address", "%q is no address of a partner: write its host and port, such as lab.example:2575", s.Address)
	}
	if s.TLS != nil {
		errs = append(errs, engine.InField("tls", s.TLS.Validate()))
	}
	if s.Acknowledgement == AcknowledgementStatus {
		bad("acknowledgement", "MLLP has no status: write none for a partner that acknowledges nothing, with release 2 if it sends commit blocks")
	}
	if s.Release != 0 && s.Release != 1 && s.Release != 2 {
		bad("release", "there is no release %d of MLLP: write 1 or 2", s.Release)
	}
	for _, n := range []struct {
		field string
		value int
	}{{"connections", s.Connections}, {"window", s.Window}} {
		if n.value < 0 || n.value > 10_000 {
			bad(n.field, "write a number from 1 to 10000, or leave it out for 1")
		}
	}
	if s.Window > 1 && s.Release == 2 {
		bad("window", "release 2 is strictly synchronous: leave window out, or use more connections")
	}
	if s.Window > 1 && s.CloseAfterEach {
		bad("window", "with close-after-each there is one message on a connection: leave one of them out")
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"idle-timeout", s.IdleTimeout}, {"connect-timeout", s.ConnectTimeout}, {"write-timeout", s.WriteTimeout},
		{"acknowledgement-timeout", s.AcknowledgementTimeout}, {"reconnect-pause", s.ReconnectPause},
	} {
		if d.value < 0 {
			bad(d.field, "a limit can't be negative: leave it out for the default")
		}
	}
	if s.ReplyLimit < 0 {
		bad("reply-limit", "a limit can't be negative: leave it out for the default")
	}
	errs = append(errs, engine.InField("framing", s.Framing.Validate()))
	return errors.Join(errs...)
}

// Open reads the certificates. It connects to nobody: the partner may be away when the
// engine starts.
func (s *MLLPSender) Open(ctx context.Context) error {
	var secure *tls.Config
	if s.TLS != nil {
		source, err := s.TLS.Open(ctx)
		if err != nil {
			return engine.InField("tls", err)
		}
		for _, w := range source.Warnings() {
			s.log.Warn(w)
		}
		source.Watch(logNotices(s.log))
		host, _, _ := net.SplitHostPort(s.Address) // Prepare has seen to it
		s.source, secure = source, source.ConfigFor(host)
	}
	s.away.max = cmp.Or(s.ReconnectPause, DefaultReconnectPause)
	if s.away.now == nil {
		s.away.now = time.Now
	}
	n := max(s.Connections, 1)
	s.slots = make(chan struct{}, n*max(s.Window, 1))
	s.clients, s.loads = nil, make([]int, n)
	for range n {
		s.clients = append(s.clients, s.client(secure))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = false
	return nil
}

// client makes the client of one connection.
func (s *MLLPSender) client(secure *tls.Config) *mllp.Client {
	dialer := &net.Dialer{KeepAlive: s.KeepAlive}
	return &mllp.Client{
		Address: s.Address,
		TLS:     secure,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if err := s.away.check(); err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, network, address)
		},
		DialTimeout:  s.ConnectTimeout,
		WriteTimeout: s.WriteTimeout,
		ReplyTimeout: s.AcknowledgementTimeout,
		IdleTimeout:  s.IdleTimeout,
		CloseAfter:   s.CloseAfterEach,
		Window:       s.Window,
		CommitBlocks: s.Release == 2,
		MaxReply:     int(min(cmp.Or(s.ReplyLimit, DefaultReplyLimit), math.MaxInt32)),
		Framing:      s.Framing,
		Check:        s.check,
	}
}

// Close closes the connections. What is being sent ends with [engine.ErrStopped].
func (s *MLLPSender) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	if s.source != nil {
		errs = append(errs, s.source.Close())
	}
	return errors.Join(errs...)
}

// Send sends m and returns the partner's acknowledgement of it. It fails unless the
// partner has accepted m, with the acknowledgement beside the error where there was one.
func (s *MLLPSender) Send(ctx context.Context, m *engine.Message) (engine.Reply, error) {
	wants := s.Acknowledgement.wants(m.Body())
	if wants == errorsAlone {
		return engine.Reply{}, errors.New("the message asks for an acknowledgement only where something is wrong with it (ER in MSH-15 or MSH-16), so that a lost one can't be told from an accepted one: set acknowledgement to none to send it unconfirmed, or to what the partner does send")
	}
	n, err := s.begin(ctx)
	if err != nil {
		return engine.Reply{}, err
	}
	defer s.end(n)
	if wants == nothing {
		if err := s.clients[n].Post(ctx, m.Body()); err != nil {
			return engine.Reply{}, s.explain(ctx, err)
		}
		s.away.succeeded()
		return engine.Reply{Class: engine.Accepted, Unconfirmed: s.Release != 2}, nil
	}
	body, err := s.clients[n].Send(ctx, m.Body())
	if err != nil {
		return engine.Reply{}, s.explain(ctx, err)
	}
	s.away.succeeded()
	reply := engine.Reply{Class: engine.Unavailable, Body: body}
	answer, err := s.format.ReadAnswer(m, body)
	if err != nil {
		return reply, err
	}
	reply.Class = answer.Class
	return reply, refusal(answer.Class)
}

// begin waits until a message may go out and returns the connection that it goes out on:
// the one with the fewest messages under way, and of these the first, so that no more
// connections are open than are needed.
func (s *MLLPSender) begin(ctx context.Context) (int, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: while waiting for a free connection", context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.Index(s.loads, slices.Min(s.loads))
	s.loads[n]++
	return n, nil
}

func (s *MLLPSender) end(n int) {
	s.mu.Lock()
	s.loads[n]--
	s.mu.Unlock()
	<-s.slots
}

// check says whether reply is the last acknowledgement that is awaited for sent.
func (s *MLLPSender) check(sent, reply []byte) error {
	h, err := hl7.ParseHeader(sent)
	if err != nil || mllp.CommitOf(reply) != mllp.NoCommit {
		return mllp.MatchControlID(sent, reply)
	}
	ack, err := hl7.ParseAck(reply)
	if err != nil {
		return err
	}
	if ack.ControlID != h.ControlID() {
		return mllp.ErrWrongID
	}
	wants := s.Acknowledgement.wants(sent)
	if ack.Code == hl7.CommitAccept && (wants == application || wants == both) {
		return mllp.ErrAwaitNext
	}
	return nil
}

// explain says what an exchange without an acknowledgement means for the message.
func (s *MLLPSender) explain(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*mllp.SendError](err)
	if !ok {
		return err
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if failed.MayHaveArrived() {
		s.away.succeeded()
	}
	switch {
	case closed && errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: %w", engine.ErrStopped, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case errors.Is(err, mllp.ErrWrongID):
		return fmt.Errorf("%w: %w", engine.ErrWrongID, err)
	case errors.Is(err, mllp.ErrCommitNAK):
		return fmt.Errorf("%w: %w", engine.ErrPartnerStatus, err)
	case errors.Is(err, mllp.ErrNoCommit):
		return fmt.Errorf("%w: %w: set release to 1", engine.ErrNoAcknowledgement, err)
	case failed.Phase == mllp.Connecting:
		return s.explainAway(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: %w", engine.ErrTimeout, err)
	case failed.Phase == mllp.Writing:
		return fmt.Errorf("%w: %w", engine.ErrUnreachable, err)
	default:
		err = fmt.Errorf("%w: %w", engine.ErrNoAcknowledgement, err)
	}
	if errors.Is(err, mllp.ErrAwaitNext) {
		err = fmt.Errorf("%w: the partner has sent an accept acknowledgement (CA), or a commit block, and no application acknowledgement (AA); if it sends none, set acknowledgement to accept", err)
	}
	return err
}

// explainAway says what it means that nothing was sent.
func (s *MLLPSender) explainAway(err error) error {
	if mllp.ReasonOf(err) != 0 || errors.Is(err, mllp.ErrNoID) {
		return err // the message's own fault
	}
	if paused, ok := errors.AsType[*pausedError](err); ok {
		return engine.RetryAfter(err, paused.left)
	}
	s.away.failed()
	return fmt.Errorf("%w: %w", engine.ErrUnreachable, err)
}

var (
	_ engine.Sender   = (*MLLPSender)(nil)
	_ engine.Preparer = (*MLLPSender)(nil)
	_ engine.Opener   = (*MLLPSender)(nil)
)
