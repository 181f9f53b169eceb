package mllptest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7/mllp"
)

// DefaultLimit is how long a [Conn] from [Dial] waits for a frame, so that a test of a peer that says nothing ends.
const DefaultLimit = 10 * time.Second

// errHungUp ends a script whose connection was closed as the script wanted it.
var errHungUp = errors.New("mllptest: the connection was hung up, as the script says")

// A Conn is one connection to the peer that is tested. Its methods, and the steps that it runs, are for one goroutine at
// a time; Close may be called by any.
type Conn struct {
	// Limit is how long Receive waits for a frame. 0 means for ever, which is what a Server does.
	Limit time.Duration

	raw    net.Conn      // TCP
	conn   net.Conn      // the same, or TLS on it
	buffer *bufio.Reader // reads conn
	reader *mllp.Reader  // reads buffer
	server *Server       // nil on a client
	number int           // of the connection, on a Server

	last []byte
	cut  cut

	once   sync.Once
	closed chan struct{}
}

// A cut says how writes are cut into pieces; the zero value doesn't.
type cut struct {
	size int
	pace <-chan struct{}
}

func newConn(raw, conn net.Conn) *Conn {
	buffer := bufio.NewReader(conn)
	return &Conn{raw: raw, conn: conn, buffer: buffer, reader: mllp.NewReader(buffer, 0), closed: make(chan struct{})}
}

// Dial connects to a receiver, over TLS where config isn't nil. The caller closes the Conn. A name that a certificate is
// checked against is config's, else the host of address.
func Dial(ctx context.Context, address string, config *tls.Config) (*Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("mllptest: %w", err)
	}
	conn := raw
	if config != nil {
		if config.ServerName == "" {
			host, _, _ := net.SplitHostPort(address) // it was dialled
			config = config.Clone()
			config.ServerName = host
		}
		secure := tls.Client(raw, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("mllptest: TLS handshake: %w", err)
		}
		conn = secure
	}
	c := newConn(raw, conn)
	c.Limit = DefaultLimit
	return c, nil
}

// NewClient connects to a receiver as [Dial] does, without TLS, and closes the connection with the test. The test fails
// at once when there is no connection.
func NewClient(t testing.TB, address string) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Run does steps one after the other. It returns the first error; that a step such as [HangUp] or [Reset] has ended the
// connection is none, and the steps behind it are left out.
func (c *Conn) Run(steps ...Step) error {
	err := Sequence(steps...).run(c)
	if errors.Is(err, errHungUp) {
		return nil
	}
	return err
}

// Receive waits for the next frame and returns what is in it: a message, an acknowledgement, a commit block. It fails
// when the peer hangs up ([io.EOF] between frames), when Limit has passed ([os.ErrDeadlineExceeded]), and with a
// [*mllp.FrameError] at what is no frame.
func (c *Conn) Receive() ([]byte, error) {
	if c.Limit > 0 {
		if err := c.conn.SetReadDeadline(time.Now().Add(c.Limit)); err != nil {
			return nil, err
		}
	}
	content, err := c.reader.Next()
	if err != nil {
		return nil, err
	}
	c.last = append([]byte{}, content...)
	if c.server != nil {
		c.server.received(Message{Connection: c.number, Content: c.last})
	}
	return c.last, nil
}

// awaitFrame waits until the first byte of something has come, and leaves it there.
func (c *Conn) awaitFrame() error {
	for c.reader.Buffered() == 0 {
		b, err := c.buffer.Peek(1)
		if err != nil {
			return err
		}
		if b[0] != 0 && b[0] != '\r' && b[0] != '\n' {
			return nil
		}
		_, _ = c.buffer.Discard(1) // means nothing between frames
	}
	return nil
}

// Last returns what was received last, nil before anything was.
func (c *Conn) Last() []byte { return c.last }

// Write writes raw as it is, in pieces where [InPieces] or [Paced] says so.
func (c *Conn) Write(raw []byte) (int, error) {
	if c.cut.size == 0 {
		return c.conn.Write(raw)
	}
	written := 0
	for written < len(raw) {
		if c.cut.pace != nil {
			if err := WaitFor(c.cut.pace).run(c); err != nil {
				return written, err
			}
		}
		n, err := c.conn.Write(raw[written:min(written+c.cut.size, len(raw))])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Close closes the connection. A step that is under way ends with an error. Closing again does nothing.
func (c *Conn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		err = c.raw.Close()
		if errors.Is(err, net.ErrClosed) {
			err = nil
		}
	})
	return err
}
