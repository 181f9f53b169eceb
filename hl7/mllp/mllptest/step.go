package mllptest

import (
	"bytes"
	"errors"
	"io"
	"net"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp"
)

// A Step is one thing that a partner does on a connection. It blocks until it is done. An error ends the connection, and
// on a [Server] nothing else: a peer that hangs up on a hostile partner does what it should.
//
// A Step may be used in several places at once when what it closes over allows that; those of this package do. The zero
// Step does nothing.
type Step struct {
	do    func(c *Conn) error
	takes bool // it begins with taking a frame
}

// Do makes a Step of a function. Where a Server does it, it is done at once, without waiting for a message; begin with
// [Receive], in a [Sequence], to change that.
func Do(f func(c *Conn) error) Step { return Step{do: f} }

func (s Step) run(c *Conn) error {
	if s.do == nil {
		return nil
	}
	return s.do(c)
}

// Sequence does steps one after the other, on the same connection.
func Sequence(steps ...Step) Step {
	return Step{takes: len(steps) > 0 && steps[0].takes, do: func(c *Conn) error {
		for _, step := range steps {
			if err := step.run(c); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Repeat does step until the connection ends.
func Repeat(step Step) Step {
	return Step{takes: step.takes, do: func(c *Conn) error {
		for {
			if err := step.run(c); err != nil {
				return err
			}
		}
	}}
}

// Receive takes one frame, be it a message or an acknowledgement, and answers nothing. [Conn.Last] has it then.
func Receive() Step {
	return Step{takes: true, do: func(c *Conn) error {
		_, err := c.Receive()
		return err
	}}
}

// Answer takes one message and acknowledges it with code, an acknowledgement code of HL7 table 0008 such as AA, AE, AR,
// CA. The faults damage the acknowledgement, one after the other.
func Answer(code string, faults ...Fault) Step { return Sequence(Receive(), Reply(code, faults...)) }

// Reply acknowledges the message that was received last, as [Answer] does, whether it was acknowledged before or not.
// Where none was received, or it has no readable header, the acknowledgement is one of nothing, with an empty MSA-2.
func Reply(code string, faults ...Fault) Step {
	return Do(func(c *Conn) error {
		h, _ := hl7.ParseHeader(c.last) // of what can't be read, the zero Header
		if len(faults) == 0 && (code == "AA" || code == "CA") && c.server != nil {
			c.server.accepted(h.ControlID()) // before the sender can know
		}
		return Send(h.AppendAck(nil, hl7.Ack{Code: hl7.AckCode(code)}), faults...).run(c)
	})
}

// Late takes one message and acknowledges it with code once release is closed or has a value.
func Late(release <-chan struct{}, code string, faults ...Fault) Step {
	return Sequence(Receive(), WaitFor(release), Reply(code, faults...))
}

// Silence takes one message and never answers it: it waits until the other side hangs up, reading and dropping whatever
// else comes, and hangs up, too.
func Silence() Step { return Sequence(Receive(), UntilClosed()) }

// Commit writes a commit block of MLLP release 2: [mllp.CommitACK] or [mllp.CommitNAK]. The faults damage it.
func Commit(block mllp.Commit, faults ...Fault) Step { return Send([]byte{byte(block)}, faults...) }

// Send writes content as one frame, damaged by the faults, one after the other.
func Send(content []byte, faults ...Fault) Step {
	return Do(func(c *Conn) error {
		frame := mllp.Append(nil, content)
		for _, fault := range faults {
			frame = fault(frame)
		}
		_, err := c.Write(frame)
		return err
	})
}

// Write writes bytes as they are: a greeting, junk between frames, another protocol.
func Write(raw ...byte) Step {
	return Do(func(c *Conn) error {
		_, err := c.Write(raw)
		return err
	})
}

// Huge writes one frame around a message of size bytes, most of them in one field. It is never held in memory. It ends
// early, with an error, when the other side has had enough.
func Huge(size int64) Step {
	return Do(func(c *Conn) error {
		const head = "MSH|^~\\&|HUGE|||||||ADT^A01|HUGE|P|2.5\rZZZ|"
		if _, err := c.Write([]byte("\x0b" + head)); err != nil {
			return err
		}
		chunk := bytes.Repeat([]byte{'x'}, 64<<10)
		for left := size - int64(len(head)); left > 0; left -= int64(len(chunk)) {
			if _, err := c.Write(chunk[:min(left, int64(len(chunk)))]); err != nil {
				return err
			}
		}
		_, err := c.Write([]byte("\x1c\r"))
		return err
	})
}

// Flood writes raw again and again until the other side hangs up or the connection is closed.
func Flood(raw ...byte) Step { return Repeat(Write(raw...)) }

// InPieces does step with everything that it writes cut into pieces of size bytes, each handed to the system by itself.
func InPieces(size int, step Step) Step { return Paced(nil, size, step) }

// Paced is InPieces with a wait before each piece for a value from pace: a slow drip. Once pace is closed, or where it is
// nil, nothing is waited for.
func Paced(pace <-chan struct{}, size int, step Step) Step {
	return Step{takes: step.takes, do: func(c *Conn) error {
		before := c.cut
		c.cut = cut{size: max(size, 1), pace: pace}
		defer func() { c.cut = before }()
		return step.run(c)
	}}
}

// WaitFor waits until signal is closed or has a value. It fails when the connection is closed on this side first, as at
// the end of a test.
func WaitFor(signal <-chan struct{}) Step {
	return Do(func(c *Conn) error {
		select {
		case <-signal:
			return nil
		case <-c.closed:
			return net.ErrClosed
		}
	})
}

// Signal closes signal: the script has come this far.
func Signal(signal chan<- struct{}) Step {
	return Do(func(*Conn) error {
		close(signal)
		return nil
	})
}

// UntilClosed reads and drops whatever comes until the other side hangs up, and then hangs up, too.
func UntilClosed() Step {
	return Do(func(c *Conn) error {
		_, _ = io.Copy(io.Discard, c.buffer) // a reset is hanging up, too
		return errHungUp
	})
}

// Vanish does nothing any more, and reads nothing, until the connection is closed on this side: to the other side the
// partner is there and silent, and in time takes no more bytes. It is as near to a peer without power as one comes
// without one.
func Vanish() Step {
	return Do(func(c *Conn) error {
		<-c.closed
		return net.ErrClosed
	})
}

// HangUp closes the connection in good order.
func HangUp() Step {
	return Do(func(c *Conn) error {
		return errors.Join(errHungUp, c.Close())
	})
}

// Reset breaks the connection off: the other side reads and writes with an error.
func Reset() Step {
	return Do(func(c *Conn) error {
		if t, ok := c.raw.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a closed one is closed already
		}
		return errors.Join(errHungUp, c.raw.Close())
	})
}

// HalfClose says that nothing more will be written, and goes on reading.
func HalfClose() Step {
	return Do(func(c *Conn) error {
		half, ok := c.conn.(interface{ CloseWrite() error })
		if !ok {
			return errors.New("mllptest: this connection can't be closed by half")
		}
		return half.CloseWrite()
	})
}
