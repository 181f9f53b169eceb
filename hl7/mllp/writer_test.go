package mllp_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/ladlehq/ladle/hl7/mllp"
)

// pair returns the two ends of a TCP connection over loopback.
func pair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	if err := errors.Join(near.SetDeadline(deadline()), far.SetDeadline(deadline())); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// countWrites counts the calls and keeps the bytes.
type countWrites struct {
	bytes.Buffer
	calls int
}

func (c *countWrites) Write(p []byte) (int, error) {
	c.calls++
	return c.Buffer.Write(p)
}

func TestWriter(t *testing.T) {
	t.Parallel()
	for _, framing := range []mllp.Framing{{}, {Start: 2, End: 3}, {Start: 2, End: 3, Trailer: 4}} {
		for _, size := range []int{0, 1, 800, 64 << 10, 3 << 20} {
			msg := bytes.Repeat([]byte("x"), size)
			want := framing.Append(nil, msg)

			var dst countWrites
			if err := framing.NewWriter(&dst).WriteMessage(msg); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(dst.Bytes(), want) || dst.calls != 1 {
				t.Errorf("%d bytes: %d writes, %d bytes written", size, dst.calls, dst.Len())
			}

			near, far := pair(t)
			w := framing.NewWriter(near)
			written := make(chan error, 1)
			go func() { written <- errors.Join(w.WriteMessage(msg), w.WriteMessage([]byte("next")), near.Close()) }()
			got, err := io.ReadAll(far)
			if err := errors.Join(err, <-written); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, framing.Append(want, []byte("next"))) {
				t.Errorf("%d bytes over TCP: what came is not what was sent", size)
			}
		}
	}
}

func TestWriterStopsAtItsFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	calls := 0
	w := mllp.NewWriter(writeFunc(func(p []byte) (int, error) { calls++; return len(p) / 2, broken }))
	for range 2 {
		if err := w.WriteMessage([]byte("a")); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("wrote %d times; the second frame would have followed half of the first", calls)
	}
	short := mllp.NewWriter(writeFunc(func(p []byte) (int, error) { return len(p) - 1, nil }))
	if err := short.WriteMessage([]byte("a")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short write: %v", err)
	}
	if err := (mllp.Framing{Start: 2, End: 2}).NewWriter(io.Discard).WriteMessage(nil); err == nil {
		t.Error("framing that is not valid: no error")
	}
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

func TestWriteCommit(t *testing.T) {
	t.Parallel()
	var dst bytes.Buffer
	w := mllp.NewWriter(&dst)
	if err := errors.Join(w.WriteCommit(mllp.CommitACK), w.WriteCommit(mllp.CommitNAK)); err != nil {
		t.Fatal(err)
	}
	if dst.String() != "\v\x06\x1c\r\v\x15\x1c\r" {
		t.Errorf("got %q", dst.String())
	}
	if err := w.WriteCommit(mllp.NoCommit); err == nil {
		t.Error("NoCommit was written")
	}
}

func TestWriterAllocatesNothing(t *testing.T) {
	near, far := pair(t)
	go func() { _, _ = io.Copy(io.Discard, far) }() // ends with the connection
	for name, dst := range map[string]io.Writer{"TCP": near, "other": io.Discard} {
		w := mllp.NewWriter(dst)
		for _, size := range []int{1, 820, 16 << 10, 64 << 10} {
			msg := bytes.Repeat([]byte("x"), size)
			write := func() {
				if err := w.WriteMessage(msg); err != nil {
					t.Fatal(err)
				}
			}
			write()
			if n := testing.AllocsPerRun(50, write); n != 0 {
				t.Errorf("%s: %v allocations for %d bytes", name, n, size)
			}
		}
		if n := testing.AllocsPerRun(50, func() { _ = w.WriteCommit(mllp.CommitACK) }); n != 0 {
			t.Errorf("%s: %v allocations for a commit block", name, n)
		}
	}
}
