package mllp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// The limits of time of a [Client] that sets none.
const (
	DefaultDialTimeout  = 10 * time.Second
	DefaultWriteTimeout = 30 * time.Second
	DefaultReplyTimeout = 30 * time.Second
)

const (
	// probeTime is how long a kept connection is listened to before it is used, where the system can't be asked.
	probeTime = time.Millisecond
	// sniffTime is how long the rest of an unframed answer is waited for, to name what the partner speaks.
	sniffTime = 50 * time.Millisecond
	// probeReads is how many reads of fillers, such as a late trailer, a kept connection may need before it is given up.
	probeReads = 8
)

// Errors of a [Client] that say how the partner's side of the exchange went.
var (
	// ErrAwaitNext is what Check of a [Client] returns for a reply that is in order but not the last: the Client goes on
	// waiting for another one, within the same reply timeout.
	ErrAwaitNext = errors.New("mllp: another reply is to follow")
	// ErrNoCommit says that a partner which should speak release 2 sent something else where its commit block was due.
	ErrNoCommit = errors.New("mllp: the partner sent no commit block before its reply: it speaks release 1")
	// ErrNoID says that a message has no MSH-10, by which its reply could be told from those of others in the window.
	ErrNoID = errors.New("mllp: the message has no MSH-10, without which it can't go out in a window with others")
	// ErrWindow says that the connection was closed because of another message that was in flight on it. Whether the
	// partner has this one is unknown.
	ErrWindow = errors.New("mllp: the connection was closed because of another message in flight on it")
)

// A Client sends messages to one partner over one connection and returns the partner's answers: one message at a time, or
// as many in flight at once as Window says.
//
// A reply is credited to the message that it answers or to none. On a timeout, a cancelled context or anything else that
// goes wrong behind the first byte sent, the connection is closed, so that a late reply can't meet the next message. A
// kept connection is looked at before it is used again: when the partner has closed it, or has sent what nobody asked for,
// it is replaced before anything is sent. A second reply to one of the last messages that were answered on the connection
// is passed over: enhanced mode makes them. A message is never sent twice by one Send: whether to send again is the
// caller's to decide, from [SendError].
//
// The zero value with an Address is ready for use: plain TCP, connection kept open, the default limits, MSA-2 compared. The
// fields must not be changed once Send was called. All methods are safe for concurrent use; concurrent Sends beyond the
// window wait for one another. A Client that is no longer used must be closed.
type Client struct {
	// Address is the partner's "host:port".
	Address string
	// TLS, when not nil, is the configuration to speak TLS with. Where it names no server, the host of Address is what
	// the partner's certificate is checked against.
	TLS *tls.Config
	// Dial connects to the partner. Nil means a [net.Dialer] with its defaults, which find a dead peer by TCP keep-alive.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// DialTimeout limits the time to connect, TLS handshake included. 0 means [DefaultDialTimeout].
	DialTimeout time.Duration
	// WriteTimeout limits the time to hand a message to the connection. 0 means [DefaultWriteTimeout].
	WriteTimeout time.Duration
	// ReplyTimeout limits the time from the message written to the reply read. 0 means [DefaultReplyTimeout].
	ReplyTimeout time.Duration
	// IdleTimeout is how long a connection may have been idle to be used again; an older one is replaced. 0 means no limit.
	IdleTimeout time.Duration
	// CloseAfter closes the connection after each message, so that each has its own. It needs a Window of 1.
	CloseAfter bool

	// Window is how many messages may be in flight at once, for a partner that agrees: MLLP itself knows only one. Replies
	// are then matched by MSA-2, in whatever order they come, so that every message needs an MSH-10; of two with the same
	// one the second waits for the first. Messages go out in the order in which Send was called. What goes wrong with one
	// ends all that are in flight: these fail with [ErrWindow]. 0 means 1.
	Window int
	// CommitBlocks says that the partner speaks release 2: it answers each message with a commit block before anything
	// else. A negative one fails the Send with [ErrCommitNAK], anything else in its place with [ErrNoCommit]. The protocol is
	// strictly synchronous: it needs a Window of 1. Without CommitBlocks a positive commit block is passed over.
	CommitBlocks bool

	// MaxReply is the longest reply in bytes that is accepted. 0 means [DefaultMaxMessage].
	MaxReply int
	// Framing is the bytes around messages; the zero value is the standard's.
	Framing Framing
	// Check is asked about each reply whether it answers what was sent. It returns nil when it does, [ErrAwaitNext] when
	// another reply has to follow, and any other error to refuse it: Send then returns that error in a [SendError] and
	// closes the connection. It must not keep its arguments, nor use the Client. Nil means [MatchControlID].
	//
	// A reply that Check refuses with [ErrWrongID] is passed over instead when it belongs to one of the last 16 messages
	// that were answered, or posted, on this connection.
	Check func(sent, reply []byte) error

	once    sync.Once
	invalid error         // why the fields don't go together
	turn    chan struct{} // holds one token: whoever has it may connect and write
	slots   chan struct{} // with a Window over 1: holds a token for each free place in it
	closed  chan struct{}
	closing sync.Mutex // held by the Close that is under way

	link *link // owned by the holder of the turn

	mu   sync.Mutex
	live net.Conn // what Close has to close while somebody else has the turn
	shut bool
}

// A Phase is the part of a Send in which it failed.
type Phase int

// The phases of a Send.
const (
	// Connecting is everything before the first byte of the message: a wrong message, waiting for one's turn, dialling, TLS.
	Connecting Phase = iota
	// Writing is handing the message to the connection.
	Writing
	// Awaiting is waiting for the reply.
	Awaiting
	// Checking is the reply having come and been refused.
	Checking
)

// String returns the phase as a word that fits behind "while".
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Writing:
		return "writing"
	case Awaiting:
		return "awaiting the reply"
	case Checking:
		return "checking the reply"
	}
	return fmt.Sprintf("phase %d", int(p))
}

// A SendError says why a message was not answered. It unwraps to its cause: [os.ErrDeadlineExceeded] when a limit of
// time ran out, the context's error when that ended, [net.ErrClosed] when the Client was closed, a [*FrameError] when the
// reply was not framed, what Check returned when the reply was refused. It is [ErrAwaitNext], too, when Check had returned
// that for a first reply.
type SendError struct {
	Address string
	Phase   Phase
	Err     error
}

// Error returns the address, the phase and the cause. No message content is in it.
func (e *SendError) Error() string {
	return fmt.Sprintf("mllp: %s: while %s: %v", e.Address, e.Phase, e.Err)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// MayHaveArrived reports whether the partner may have the message: something of it was written. When it is false the
// message can be sent again without making a duplicate.
func (e *SendError) MayHaveArrived() bool { return e.Phase != Connecting }

// Send sends msg and returns the reply, which is the caller's to keep. It blocks until the reply is there, a limit of
// time runs out, ctx ends or the Client is closed. The error is always a [*SendError]. That there is a reply says nothing
// of what it says: AA, AE and AR are all returned without an error.
//
// Msg is not kept or changed. A message that holds a start or an end byte can't be framed and is refused before it is
// sent; see [Framing.Check].
func (c *Client) Send(ctx context.Context, msg []byte) ([]byte, error) {
	return c.explain(ctx, msg, true)
}

// Post sends msg and waits for no reply, for a partner that sends none. With CommitBlocks it waits for the commit block,
// which says that the message is in safe storage; without, a nil error says no more than that the message was handed to
// the connection. Errors are as for Send.
func (c *Client) Post(ctx context.Context, msg []byte) error {
	_, err := c.explain(ctx, msg, false)
	return err
}

// explain sends msg and makes a [*SendError] of what goes wrong.
func (c *Client) explain(ctx context.Context, msg []byte, await bool) ([]byte, error) {
	reply, phase, err := c.send(ctx, msg, await)
	if err == nil {
		return reply, nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	if c.isShut() && !errors.Is(err, net.ErrClosed) {
		err = fmt.Errorf("%w (%w)", net.ErrClosed, err)
	}
	return nil, &SendError{Address: c.Address, Phase: phase, Err: err}
}

func (c *Client) send(ctx context.Context, msg []byte, await bool) ([]byte, Phase, error) {
	if err := c.Framing.Check(msg); err != nil {
		return nil, Connecting, err
	}
	c.once.Do(c.prepare)
	if c.invalid != nil {
		return nil, Connecting, c.invalid
	}
	if c.slots != nil {
		return c.sendInWindow(ctx, msg, await)
	}
	if err := c.take(ctx, c.turn); err != nil {
		return nil, Connecting, err
	}
	defer func() { c.turn <- struct{}{} }()

	if err := c.connect(ctx); err != nil {
		return nil, Connecting, err
	}
	release := c.link.closeWhenDone(ctx)
	reply, phase, err := c.exchange(msg, await)
	interrupted := release()
	switch {
	case err != nil || interrupted:
		c.drop((*link).abort)
	case c.CloseAfter:
		c.drop((*link).close)
	default:
		c.link.idleSince = time.Now()
	}
	return reply, phase, err
}

// take takes a token, or says why not.
func (c *Client) take(ctx context.Context, tokens <-chan struct{}) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	select {
	case <-tokens:
		return nil
	case <-c.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the connection and fails the Sends that are under way with [net.ErrClosed], as well as all later ones. It
// waits until they have returned. Closing again does nothing.
func (c *Client) Close() error {
	c.once.Do(c.prepare)
	c.closing.Lock()
	defer c.closing.Unlock()
	c.mu.Lock()
	first := !c.shut
	c.shut = true
	if first {
		close(c.closed)
	}
	idle := false
	select {
	case <-c.turn:
		idle = true
	default:
	}
	if c.live != nil && (!idle || c.link.pipe != nil) {
		_ = c.live.Close() // the Sends under way report what comes of it
	}
	c.mu.Unlock()
	if !idle {
		<-c.turn
	}
	c.drop((*link).close)
	c.turn <- struct{}{}
	for range cap(c.slots) {
		<-c.slots
	}
	for range cap(c.slots) {
		c.slots <- struct{}{}
	}
	return nil
}

func (c *Client) prepare() {
	c.turn = make(chan struct{}, 1)
	c.turn <- struct{}{}
	c.closed = make(chan struct{})
	if c.Window <= 1 {
		return
	}
	switch {
	case c.CommitBlocks:
		c.invalid = errors.New("mllp: a Window over 1 and CommitBlocks don't go together: release 2 is strictly synchronous")
	case c.CloseAfter:
		c.invalid = errors.New("mllp: a Window over 1 and CloseAfter don't go together")
	}
	c.slots = make(chan struct{}, c.Window)
	for range c.Window {
		c.slots <- struct{}{}
	}
}

func (c *Client) isShut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shut
}

// own notes conn as what Close has to close, unless the Client is closed already.
func (c *Client) own(conn net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut && conn != nil {
		return net.ErrClosed
	}
	c.live = conn
	return nil
}

// drop ends the connection, if there is one, in the given way.
func (c *Client) drop(end func(*link)) {
	if c.link == nil {
		return
	}
	end(c.link)
	if c.link.pipe != nil {
		c.link.pipe.wg.Wait()
	}
	c.link = nil
	_ = c.own(nil) // never fails for nil
}

// connect sees to it that there is a connection that a message can be sent on.
func (c *Client) connect(ctx context.Context) error {
	if c.link != nil {
		usable := c.link.usable
		if c.link.pipe != nil {
			usable = c.link.pipe.usable
		}
		if !usable(c.IdleTimeout) {
			c.drop((*link).close)
		}
	}
	if c.link != nil {
		return nil
	}
	limit := orDefault(c.DialTimeout, DefaultDialTimeout)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Close ends a dial under way too.
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-c.closed:
			cancel()
		case <-ended:
		}
	}()
	defer func() { close(ended); <-watched }()

	l, err := c.dial(limited)
	if err != nil {
		if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("no connection within %v: %w (%w)", limit, os.ErrDeadlineExceeded, err)
		}
		return err
	}
	if err := c.own(l.raw); err != nil {
		l.abort()
		return err
	}
	c.link = l
	if c.slots != nil {
		l.pipe = newPipe(c, l)
	}
	return nil
}

func (c *Client) dial(ctx context.Context) (*link, error) {
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	raw, err := dial(ctx, "tcp", c.Address)
	if err != nil {
		return nil, err
	}
	l := &link{raw: raw, conn: raw}
	if c.TLS != nil {
		config := c.TLS
		if config.ServerName == "" {
			host, _, err := net.SplitHostPort(c.Address)
			if err != nil {
				_ = raw.Close()
				return nil, fmt.Errorf("host to check the certificate against: %w", err)
			}
			config = config.Clone()
			config.ServerName = host
		}
		secure := tls.Client(raw, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, tlsError(err)
		}
		l.conn = secure
	}
	l.reader = c.Framing.NewReader(l.conn, c.MaxReply)
	l.writer = c.Framing.NewWriter(l.conn)
	return l, nil
}

// tlsError names the protocol of a partner that doesn't speak TLS.
func tlsError(err error) error {
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &header):
		if p := Sniff(header.RecordHeader[:]); p != UnknownProtocol {
			return fmt.Errorf("TLS handshake: the partner sends %v on this port: %w", p, err)
		}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("TLS handshake: the partner ended the connection: it may speak plain MLLP on this port: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("TLS handshake: the partner says nothing: it may speak plain MLLP on this port: %w", err)
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// exchange writes msg and, if it is to, awaits its reply.
func (c *Client) exchange(msg []byte, await bool) ([]byte, Phase, error) {
	l := c.link
	if phase, err := c.write(l, msg); err != nil {
		return nil, phase, err
	}
	if !await && !c.CommitBlocks {
		l.answered.add(msg)
		return nil, Writing, nil
	}
	limit := orDefault(c.ReplyTimeout, DefaultReplyTimeout)
	if err := l.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, Awaiting, err
	}
	if c.CommitBlocks {
		if phase, err := l.awaitCommit(limit); err != nil {
			return nil, phase, err
		}
		if !await {
			l.answered.add(msg)
			return nil, Checking, nil
		}
	}
	check := c.check()
	first := true
	for {
		reply, err := l.reader.Next()
		if err != nil {
			phase, err := l.noReply(err, limit)
			return nil, phase, notFirst(first, err)
		}
		err = check(msg, reply)
		switch {
		case err == nil:
			l.answered.add(msg)
			l.spoken = true
			return l.reader.Take(), Checking, nil
		case errors.Is(err, ErrAwaitNext):
			first, l.spoken = false, true
		case errors.Is(err, ErrWrongID) && l.answered.has(reply):
		default:
			return nil, Checking, err
		}
	}
}

// notFirst adds to err that a reply had come, behind which another was to follow.
func notFirst(first bool, err error) error {
	if first {
		return err
	}
	return fmt.Errorf("%w, and didn't come: %w", ErrAwaitNext, err)
}

// write hands msg to the connection.
func (c *Client) write(l *link, msg []byte) (Phase, error) {
	limit := orDefault(c.WriteTimeout, DefaultWriteTimeout)
	if err := l.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return Connecting, err
	}
	err := l.writer.WriteMessage(msg)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("message not taken within %v: %w", limit, err)
	}
	return Writing, err
}

func (c *Client) check() func(sent, reply []byte) error {
	if c.Check == nil {
		return MatchControlID
	}
	return c.Check
}

// A link is one connection to the partner.
type link struct {
	raw    net.Conn // TCP
	conn   net.Conn // the same, or TLS on it
	reader *Reader
	writer *Writer
	pipe   *pipe // with a Window over 1; it owns the reader while anything is in flight

	answered  recent
	spoken    bool // the partner has answered on it
	idleSince time.Time
}

// awaitCommit takes the commit block of release 2 that is due.
func (l *link) awaitCommit(limit time.Duration) (Phase, error) {
	block, err := l.reader.Next()
	if err != nil {
		return l.noReply(err, limit)
	}
	switch CommitOf(block) {
	case CommitACK:
		return Checking, nil
	case CommitNAK:
		return Checking, ErrCommitNAK
	}
	return Checking, ErrNoCommit
}

// noReply says what it means that the reader has returned err in place of a reply.
func (l *link) noReply(err error, limit time.Duration) (Phase, error) {
	switch {
	case errors.Is(err, io.EOF) && !l.spoken && l.conn == l.raw:
		return Awaiting, fmt.Errorf("the partner closed the connection without a reply, to this first message on it: it may speak TLS on this port, or not know this sender: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return Awaiting, fmt.Errorf("the partner closed the connection without a reply: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Awaiting, fmt.Errorf("no reply within %v: %w", limit, err)
	case ReasonOf(err) == NoStart:
		p := l.sniff()
		if p == TLSProtocol {
			return Checking, fmt.Errorf("the partner sends TLS on this port, where plain MLLP was spoken: %w", err)
		}
		return Checking, fmt.Errorf("the partner sends %v: %w", p, err)
	case ReasonOf(err) != 0:
		return Checking, err
	}
	return Awaiting, err
}

// closeWhenDone closes the connection when ctx ends, until release is called. Release returns whether that happened, after
// it has.
func (l *link) closeWhenDone(ctx context.Context) (release func() (interrupted bool)) {
	if ctx.Done() == nil {
		return func() bool { return false }
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = l.raw.Close() // what reads or writes at this moment reports it
	})
	return func() bool {
		if stop() {
			return false
		}
		<-done
		return true
	}
}

// usable reports whether the idle connection is young enough, open and silent. A trailer that came late is silence, and
// a second reply to a message that was answered already is passed over; a reply that nobody waits for is not, because the
// next message would be taken to be answered by it.
func (l *link) usable(idle time.Duration) bool {
	if idle > 0 && time.Since(l.idleSince) > idle {
		return false
	}
	for range probeReads {
		wait := probeTime
		if l.reader.Buffered() == 0 {
			if readable, known := isReadable(l.raw); known {
				if !readable {
					return true
				}
				if l.conn == l.raw {
					wait = time.Second // it will not wait: there is something
				}
			}
		}
		if err := l.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return false
		}
		if l.reader.Buffered() == 0 {
			if err := l.reader.fill(); err != nil {
				return errors.Is(err, os.ErrDeadlineExceeded)
			}
		}
		for l.reader.Buffered() > 0 {
			if err := l.conn.SetReadDeadline(time.Now().Add(probeTime)); err != nil {
				return false
			}
			if reply, err := l.reader.Next(); err != nil || !l.answered.has(reply) {
				return false
			}
		}
	}
	return false
}

// sniff names what the partner sends instead of a frame.
func (l *link) sniff() Protocol {
	if err := l.conn.SetReadDeadline(time.Now().Add(sniffTime)); err != nil {
		return UnknownProtocol
	}
	for l.reader.Buffered() < 8 {
		if err := l.reader.fill(); err != nil {
			break
		}
	}
	return Sniff(l.reader.buf[l.reader.start:l.reader.end])
}

// close says goodbye, which over TLS is an alert; abort doesn't wait for a partner that may not take it.
func (l *link) close() { _ = l.conn.Close() }
func (l *link) abort() { _ = l.raw.Close() }

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
