package mllp

import (
	"fmt"
	"io"
	"net"
)

// copyBelow is the size from which a message goes out in a vectored write instead of being copied behind its start byte:
// below it the copy costs less than the longer system call.
const copyBelow = 32 << 10

// A Writer frames messages and writes each with one call: to a TCP or Unix connection one system call, without a copy
// of a large message; to anything else one Write of the whole frame, for which it keeps a buffer of up to 128 kB.
//
// The zero value is not usable; call [NewWriter]. A Writer is not safe for concurrent use. It has no limits of time:
// set them on the connection.
type Writer struct {
	dst     io.Writer
	framing Framing
	vector  bool
	err     error

	buf    []byte
	commit [1]byte
	parts  [3][]byte
	vec    net.Buffers
}

// NewWriter returns a Writer of the [Standard] framing on dst.
func NewWriter(dst io.Writer) *Writer { return Framing{}.NewWriter(dst) }

// NewWriter is the function [NewWriter] for another framing. With a framing that is not valid every write returns what
// [Framing.Validate] returns.
func (f Framing) NewWriter(dst io.Writer) *Writer {
	w := &Writer{dst: dst, framing: f.orStandard(), err: f.Validate()}
	switch dst.(type) {
	case *net.TCPConn, *net.UnixConn:
		w.vector = true
	}
	return w
}

// WriteMessage writes msg as one frame and blocks until it is handed over. It doesn't look into msg; see
// [Framing.Check]. After an error of the destination the frame may have gone out in part, so that a following message
// could be taken for its end: every further call returns that error, and the connection is to be closed.
func (w *Writer) WriteMessage(msg []byte) error {
	if w.err != nil {
		return w.err
	}
	var err error
	if w.vector && len(msg) >= copyBelow {
		err = w.writeVector(msg)
	} else {
		err = w.writeCopy(msg)
	}
	if err != nil {
		w.err = fmt.Errorf("mllp: write: %w", err)
	}
	return w.err
}

// WriteCommit writes the commit block c as one frame. Errors are as for WriteMessage.
func (w *Writer) WriteCommit(c Commit) error {
	if c != CommitACK && c != CommitNAK {
		return fmt.Errorf("mllp: %v can't be sent: a commit block is CommitACK or CommitNAK", c)
	}
	w.commit[0] = byte(c)
	return w.WriteMessage(w.commit[:])
}

func (w *Writer) writeCopy(msg []byte) error {
	if need := len(msg) + 3; need > cap(w.buf) {
		w.buf = make([]byte, 0, max(need, min(2*cap(w.buf), keptBuffer)))
	}
	w.buf = w.framing.Append(w.buf[:0], msg)
	n, err := w.dst.Write(w.buf)
	if err == nil && n != len(w.buf) {
		err = io.ErrShortWrite
	}
	if cap(w.buf) > keptBuffer {
		w.buf = nil
	}
	return err
}

func (w *Writer) writeVector(msg []byte) error {
	w.buf = append(w.buf[:0], w.framing.Start, w.framing.End, w.framing.Trailer)
	tail := w.buf[1:3]
	if w.framing.Trailer == 0 {
		tail = w.buf[1:2]
	}
	w.parts = [3][]byte{w.buf[:1], msg, tail}
	w.vec = w.parts[:]
	_, err := w.vec.WriteTo(w.dst)
	w.parts, w.vec = [3][]byte{}, nil
	return err
}
