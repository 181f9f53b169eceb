package mllp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ladlehq/ladle/hl7/mllp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chunks gives its parts in one Read each.
type chunks struct{ parts [][]byte }

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.parts[0])
	if c.parts[0] = c.parts[0][n:]; len(c.parts[0]) == 0 {
		c.parts = c.parts[1:]
	}
	return n, nil
}

// results reads r to its end: each message in brackets, each refusal by its reason.
func results(r *mllp.Reader) string {
	var all []string
	for range 1000 {
		msg, err := r.Next()
		switch {
		case err == nil:
			all = append(all, "["+string(msg)+"]")
		case errors.Is(err, io.EOF):
			return strings.Join(all, " ")
		case mllp.ReasonOf(err) != 0:
			all = append(all, "<"+mllp.ReasonOf(err).String()+">")
		default:
			return strings.Join(append(all, err.Error()), " ")
		}
	}
	return "no end"
}

// What the field sends, in one packet.
func TestReader(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                     "",
		"\x0bA\x1c\x0d":                        "[A]",
		"\x0bA\x1c\x0d\x0bB\x1c\x0d":           "[A] [B]",
		"\x0bA\x1c\x0bB\x1c":                   "[A] [B]",
		"\x0bA\x1c":                            "[A]",
		"\x0bA\x1c\n\x0bB\x1c\r\n":             "[A] [B]",
		"\x00\r\n\x0bA\x1c\x0d\x00\x00\n":      "[A]",
		"\x0b\x1c\x0d":                         "[]",
		"\x0b\x06\x1c\x0d":                     "[\x06]",
		"\x0bA\rB\nC\x00D\x1c\x0d":             "[A\rB\nC\x00D]",
		"A\x1c\x0d\x0bB\x1c\x0d":               "<no start byte> [B]",
		"junk\x0bB\x1c\x0d":                    "<no start byte> [B]",
		"\x0bA\x0bB\x1c\x0d\x0bC\x1c\x0d":      "<start byte inside a message> [C]",
		"\x0bA\x1cB\x1c\x0d\x0bC\x1c\x0d":      "<end byte inside a message> [C]",
		"\x0b12345678901\x1c\x0d\x0bC\x1c\x0d": "<message too large> [C]",
		"\x0b1234567890\x1c\x0d":               "[1234567890]",
		"\x0bA":                                "<message cut off by the end of the stream>",
		"\x0b":                                 "<message cut off by the end of the stream>",
		"\x16\x03\x01\x02\x00":                 "<no start byte>",
	} {
		if got := results(mllp.NewReader(strings.NewReader(in), 10)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

// However a stream is split into packets, good frames come out the same.
func TestReaderSplitAnywhere(t *testing.T) {
	t.Parallel()
	const in = "\x0bAA\rB\x1c\x0d\x00\x0b\x1c\x0d\r\n\x0bCC\x1c\x0d"
	const want = "[AA\rB] [] [CC]"
	for i := range len(in) {
		for j := i; j < len(in); j++ {
			parts := [][]byte{[]byte(in[:i]), []byte(in[i:j]), []byte(in[j:])}
			parts = append(parts[:0:0], parts...)
			var some [][]byte
			for _, p := range parts {
				if len(p) > 0 {
					some = append(some, p)
				}
			}
			if got := results(mllp.NewReader(&chunks{some}, 0)); got != want {
				t.Errorf("split at %d and %d: %s", i, j, got)
			}
		}
	}
	if got := results(mllp.NewReader(iotest.OneByteReader(strings.NewReader(in)), 0)); got != want {
		t.Errorf("byte by byte: %s", got)
	}
	if got := results(mllp.NewReader(iotest.DataErrReader(strings.NewReader(in)), 0)); got != want {
		t.Errorf("with the end beside the data: %s", got)
	}
}

func TestReaderErrorsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	r := mllp.NewReader(strings.NewReader("\x0bA\x1c\x0d\x0b1234567SECRET\x1c\x0d"), 5)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next()
	fe, ok := errors.AsType[*mllp.FrameError](err)
	if !ok || fe.Reason != mllp.TooLarge || fe.Offset != 10 || fe.Limit != 5 || !strings.Contains(err.Error(), "over the limit of 5 bytes") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v %+v", err, fe)
	}
	if !strings.HasPrefix(string(r.Head()), "1234567") {
		t.Errorf("head %q", r.Head())
	}
	if _, err := mllp.NewReader(strings.NewReader("\x0bA"), 0).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated: %v", err)
	}
}

// A read that fails and may pass loses nothing.
func TestReaderGoesOnAfterADeadline(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(strings.NewReader("\x0bA"), iotest.ErrReader(os.ErrDeadlineExceeded))
	r := mllp.NewReader(in, 0)
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

// The rest of a message that is too large passes by without being held.
func TestReaderSkipsWithoutHolding(t *testing.T) {
	const size = 256 << 20
	in := io.MultiReader(strings.NewReader("\x0b"), io.LimitReader(zeros{}, size), strings.NewReader("\x1c\x0d\x0bB\x1c\x0d"))
	r := mllp.NewReader(in, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := r.Next(); mllp.ReasonOf(err) != mllp.TooLarge {
		t.Fatal(err)
	}
	if err := r.Skip(); err != nil {
		t.Fatal(err)
	}
	msg, err := r.Next()
	runtime.ReadMemStats(&after)
	if err != nil || string(msg) != "B" {
		t.Errorf("%q, %v", msg, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestReaderTake(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 5000, 1 << 20} {
		msg := bytes.Repeat([]byte("a"), size)
		r := mllp.NewReader(io.MultiReader(bytes.NewReader(mllp.Append(nil, msg)), bytes.NewReader(mllp.Append(nil, []byte("B")))), 0)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		taken := r.Take()
		if next, err := r.Next(); err != nil || string(next) != "B" || !bytes.Equal(taken, msg) {
			t.Errorf("%d: %q, %v", size, next, err)
		}
	}
}

func TestReaderAllocatesNothingForAMessage(t *testing.T) {
	frame := mllp.Append(nil, bytes.Repeat([]byte("a"), 1000))
	r := mllp.NewReader(&repeat{frame: frame}, 0)
	var sink bytes.Buffer
	w := mllp.NewWriter(&sink)
	if n := testing.AllocsPerRun(1000, func() {
		msg, err := r.Next()
		sink.Reset()
		if err != nil || w.WriteMessage(msg) != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// repeat gives one frame for ever.
type repeat struct {
	frame []byte
	at    int
}

func (r *repeat) Read(b []byte) (int, error) {
	n := copy(b, r.frame[r.at:])
	r.at = (r.at + n) % len(r.frame)
	return n, nil
}

func TestFraming(t *testing.T) {
	t.Parallel()
	other := mllp.Framing{Start: 2, End: 3}
	var out bytes.Buffer
	w := other.NewWriter(&out)
	if err := errors.Join(w.WriteMessage([]byte("A\x0b")), w.WriteCommit(mllp.CommitNAK)); err != nil || out.String() != "\x02A\x0b\x03\x02\x15\x03" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if got := results(other.NewReader(&out, 0)); got != "[A\x0b] [\x15]" {
		t.Errorf("%q", got)
	}
	for _, bad := range []mllp.Framing{{Start: 2, End: 2}, {Start: 0, End: 3}, {Start: 2, End: '\r'}, {Start: 2, End: 3, Trailer: 3}} {
		if bad.Validate() == nil || bad.NewWriter(&out).WriteMessage(nil) == nil {
			t.Errorf("%+v is valid", bad)
		}
		if _, err := bad.NewReader(&out, 0).Next(); err == nil {
			t.Errorf("%+v reads", bad)
		}
	}
	for msg, reason := range map[string]mllp.Reason{"A": 0, "A\x0bB": mllp.StartInside, "\x1c": mllp.EndInside} {
		if err := (mllp.Framing{}).Check([]byte(msg)); mllp.ReasonOf(err) != reason {
			t.Errorf("%q: %v", msg, err)
		}
	}
	if mllp.CommitOf([]byte{6}) != mllp.CommitACK || mllp.CommitOf([]byte{0x15}) != mllp.CommitNAK || mllp.CommitOf([]byte("A")) != mllp.NoCommit {
		t.Error("CommitOf")
	}
	if err := mllp.NewWriter(&out).WriteCommit(mllp.NoCommit); err == nil {
		t.Error("a commit block of nothing")
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]mllp.Protocol{
		"\x16\x03\x01\x02": mllp.TLSProtocol, "\x0bMSH|": mllp.FramedHL7, "MSH|^~": mllp.UnframedHL7, "GET / HT": mllp.HTTPProtocol, "HTTP/1.1": mllp.HTTPProtocol, "xyz": mllp.UnknownProtocol, "": mllp.UnknownProtocol,
	} {
		if got := mllp.Sniff([]byte(head)); got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x0bA\x1c\x0d\x0bB\x1c\x0d"), 3)
	f.Add([]byte("junk\x0bA\x0b\x1cB\x1c\x0d"), 1)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		if step < 1 {
			step = 1
		}
		r := mllp.NewReader(&chunks{split(in, step)}, 64)
		n := 0
		for range len(in) + 2 {
			msg, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				if n += len(msg); n > len(in) || len(msg) > 64 || bytes.IndexByte(msg, 0x0b) >= 0 || bytes.IndexByte(msg, 0x1c) >= 0 {
					t.Fatalf("%q gives %q", in, msg)
				}
			} else if mllp.ReasonOf(err) == 0 {
				t.Fatal(err)
			}
		}
		t.Fatalf("%q has no end", in)
	})
}

func split(in []byte, step int) (parts [][]byte) {
	for len(in) > 0 {
		n := min(step, len(in))
		parts = append(parts, in[:n])
		in = in[n:]
	}
	return parts
}

// What is framed comes out again, whatever else is around it.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("MSH|^~\\&|\rPID|1"), []byte("B"), 2)
	f.Fuzz(func(t *testing.T, a, b []byte, step int) {
		if (mllp.Framing{}).Check(a) != nil || (mllp.Framing{}).Check(b) != nil {
			return
		}
		in := mllp.Append(append(mllp.Append(nil, a), "\r\n\x00"...), b)
		if got, want := results(mllp.NewReader(&chunks{split(in, max(step, 1))}, 0)), fmt.Sprintf("[%s] [%s]", a, b); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
