package mllp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ladlehq/ladle/hl7/mllp"
)

const adt = "MSH|^~\\&|ADT1|GOOD HEALTH|GHH LAB|GHH|20260105120000||ADT^A01^ADT_A01|MSG00001|P|2.5\rEVN|A01|20260105120000\rPID|1||PATID1234^5^M11||EVERYWOMAN^EVE\r"

// splitAt returns the bytes of s in two reads.
func splitAt(s string, at int) io.Reader {
	return io.MultiReader(strings.NewReader(s[:at]), strings.NewReader(s[at:]))
}

// outcomes reads everything and writes down what came out, one line a call of Next.
func outcomes(r *mllp.Reader) []string {
	var lines []string
	for {
		msg, err := r.Next()
		var fe *mllp.FrameError
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case errors.As(err, &fe):
			lines = append(lines, fmt.Sprintf("%v at %d after %d", fe.Reason, fe.Offset, fe.Size))
		case err != nil:
			return append(lines, err.Error())
		default:
			lines = append(lines, fmt.Sprintf("%q", msg))
		}
		if len(lines) > 1000 {
			return append(lines, "no end")
		}
	}
}

func TestReaderOnHostileBytes(t *testing.T) {
	t.Parallel()
	const limit = 12
	tests := []struct {
		name, in string
		want     []string
		// differs says that the outcome depends on the place of the split, because an end byte that is the last to have
		// arrived ends its message.
		differs bool
	}{
		{name: "nothing", in: ""},
		{name: "one frame", in: "\vMSH|a\r\x1c\r", want: []string{`"MSH|a\r"`}},
		{name: "last CR of the message missing", in: "\vMSH|a\x1c\r", want: []string{`"MSH|a"`}},
		{name: "trailer missing at the end", in: "\vMSH|a\r\x1c", want: []string{`"MSH|a\r"`}},
		{name: "trailer missing between frames", in: "\va\x1c\vb\x1c\vc\x1c", want: []string{`"a"`, `"b"`, `"c"`}},
		{name: "frames back to back", in: "\va\x1c\r\vb\x1c\r\vc\x1c\r", want: []string{`"a"`, `"b"`, `"c"`}},
		{name: "NUL before", in: "\x00\x00\va\x1c\r", want: []string{`"a"`}},
		{name: "NUL instead of the trailer", in: "\va\x1c\x00\vb\x1c\r", want: []string{`"a"`, `"b"`}},
		{name: "line ends between", in: "\va\x1c\r\r\n\n\r\vb\x1c\r\n", want: []string{`"a"`, `"b"`}},
		{name: "LF instead of the trailer", in: "\va\x1c\n\vb\x1c\n", want: []string{`"a"`, `"b"`}},
		{name: "only fillers", in: "\r\n\x00\r\n"},
		{name: "LF segment ends", in: "\va|1\nb|2\n\x1c\r", want: []string{`"a|1\nb|2\n"`}},
		{name: "CRLF segment ends", in: "\va|1\r\nb|2\r\n\x1c\r", want: []string{`"a|1\r\nb|2\r\n"`}},
		{name: "NUL and high bytes inside", in: "\va\x00\xff\x80\x1c\r", want: []string{`"a\x00\xff\x80"`}},
		{name: "empty frame", in: "\v\x1c\r\va\x1c\r", want: []string{`""`, `"a"`}},
		{name: "commit ACK", in: "\v\x06\x1c\r", want: []string{`"\x06"`}},
		{name: "commit NAK and a message", in: "\v\x15\x1c\r\va\x1c\r", want: []string{`"\x15"`, `"a"`}},
		{name: "exactly the limit", in: "\v123456789012\x1c\r", want: []string{`"123456789012"`}},
		{name: "one over the limit", in: "\v1234567890123\x1c\r\va\x1c\r", want: []string{"message too large at 13 after 12", `"a"`}},
		{name: "far over the limit", in: "\v" + strings.Repeat("x", 50000) + "\x1c\r\va\x1c\r", want: []string{"message too large at 13 after 12", `"a"`}},
		{name: "too large, never ended", in: "\v" + strings.Repeat("x", 100), want: []string{"message too large at 13 after 12"}},
		{name: "too large with a start byte in the rest", in: "\v" + strings.Repeat("x", 20) + "\vxx\x1c\r\va\x1c\r", want: []string{"message too large at 13 after 12", `"a"`}},
		{name: "start byte inside", in: "\vab\vcd\x1c\r\vok\x1c\r", want: []string{"start byte inside a message at 3 after 2", `"ok"`}},
		{name: "start byte twice", in: "\v\vab\x1c\r\vok\x1c\r", want: []string{"start byte inside a message at 1 after 0", `"ok"`}},
		{name: "start byte as first over the limit", in: "\v123456789012\v\x1c\r\vok\x1c\r", want: []string{"start byte inside a message at 13 after 12", `"ok"`}},
		{name: "end byte inside", in: "\vab\x1ccd\x1c\r\vok\x1c\r", want: []string{"end byte inside a message at 3 after 2", `"ok"`}, differs: true},
		{name: "end byte twice", in: "\vab\x1c\x1c\r\vok\x1c\r", want: []string{"end byte inside a message at 3 after 2", `"ok"`}, differs: true},
		{name: "no start byte", in: "MSH|a\r\x1c\r\vok\x1c\r", want: []string{"no start byte at 0 after 0", `"ok"`}},
		{name: "no start byte, no end", in: "MSH|a\rPID\r", want: []string{"no start byte at 0 after 0"}},
		{name: "garbage before a frame", in: "xyz\vok\x1c\r", want: []string{"no start byte at 0 after 0", `"ok"`}},
		{name: "garbage between frames", in: "\va\x1c\rxyz\vok\x1c\r", want: []string{`"a"`, "no start byte at 4 after 0", `"ok"`}},
		{name: "fillers and garbage", in: "\r\n\x00xyz\vok\x1c\r", want: []string{"no start byte at 3 after 0", `"ok"`}},
		{name: "end block alone", in: "\x1c\r\vok\x1c\r", want: []string{"no start byte at 0 after 0", `"ok"`}},
		{name: "end block twice", in: "\va\x1c\r\x1c\r\vok\x1c\r", want: []string{`"a"`, "no start byte at 4 after 0", `"ok"`}},
		{name: "HTTP", in: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", want: []string{"no start byte at 0 after 0"}},
		{name: "TLS", in: "\x16\x03\x01\x02\x00\x01\x00", want: []string{"no start byte at 0 after 0"}},
		{name: "cut off after the start byte", in: "\v", want: []string{"message cut off by the end of the stream at 1 after 0"}},
		{name: "cut off in the message", in: "\va\x1c\r\vabc", want: []string{`"a"`, "message cut off by the end of the stream at 8 after 3"}},
		{name: "cut off in a refused message", in: "\vab\vcd", want: []string{"start byte inside a message at 3 after 2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := func(how string, src io.Reader) {
				t.Helper()
				if got := outcomes(mllp.NewReader(src, limit)); fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("%s:\ngot  %v\nwant %v", how, got, test.want)
				}
			}
			check("whole", strings.NewReader(test.in))
			check("end with the last bytes", iotest.DataErrReader(strings.NewReader(test.in)))
			if test.differs {
				return
			}
			check("byte by byte", iotest.OneByteReader(strings.NewReader(test.in)))
			for at := range min(len(test.in), 200) {
				check(fmt.Sprintf("split at %d", at), splitAt(test.in, at))
			}
		})
	}
}

// TestReaderEndByteInside shows the one thing that depends on how the bytes arrive: what follows an end byte in a later
// packet is refused then, and never becomes a message.
func TestReaderEndByteInside(t *testing.T) {
	t.Parallel()
	const in = "\vab\x1ccd\x1c\r\vok\x1c\r"
	for at := range len(in) {
		got := fmt.Sprint(outcomes(mllp.NewReader(splitAt(in, at), 0)))
		want := fmt.Sprint([]string{"end byte inside a message at 3 after 2", `"ok"`})
		if at == 4 {
			want = fmt.Sprint([]string{`"ab"`, "no start byte at 4 after 0", `"ok"`})
		}
		if got != want {
			t.Errorf("split at %d: got %s, want %s", at, got, want)
		}
	}
}

func TestReaderWithOtherFraming(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		framing mllp.Framing
		in      string
		want    []string
	}{
		{"STX ETX", mllp.Framing{Start: 2, End: 3}, "\x02a\v\x1c\rb\x03\x02c\x03\r\n\x02d\x03", []string{`"a\v\x1c\rb"`, `"c"`, `"d"`}},
		{"odd trailer", mllp.Framing{Start: 2, End: 3, Trailer: 4}, "\x02a\x03\x04\x02b\x03\x04\x02c\x03", []string{`"a"`, `"b"`, `"c"`}},
		{"odd trailer twice", mllp.Framing{Start: 2, End: 3, Trailer: 4}, "\x02a\x03\x04\x04\x02b\x03\x04", []string{`"a"`, "no start byte at 4 after 0", `"b"`}},
		{"not valid", mllp.Framing{Start: 2, End: 2}, "\x02a\x02", []string{"mllp: start byte and end byte are both 0x02; they must differ"}},
	}
	for _, test := range tests {
		for at := range test.in {
			if got := outcomes(test.framing.NewReader(splitAt(test.in, at), 0)); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("%s, split at %d: got %v, want %v", test.name, at, got, test.want)
			}
		}
	}
}

func TestReaderSkipsWithoutHolding(t *testing.T) {
	t.Parallel()
	const limit, size = 64 << 10, 64 << 20
	src := io.MultiReader(strings.NewReader("\vMSH|^~\\&|A"), io.LimitReader(endless('x'), size), strings.NewReader("\x1c\r\vok\x1c\r"))
	r := mllp.NewReader(src, limit)
	_, err := r.Next()
	var fe *mllp.FrameError
	if !errors.As(err, &fe) || fe.Reason != mllp.TooLarge || fe.Limit != limit {
		t.Fatalf("got %v, want a message too large", err)
	}
	if err := r.Skip(); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(r.Head(), []byte("MSH|^~\\&|Axx")) {
		t.Errorf("head after Skip is %.20q", r.Head())
	}
	if held := mllp.HeldBy(r); held > limit+3+4096 {
		t.Errorf("holds %d bytes with a limit of %d", held, limit)
	}
	if msg, err := r.Next(); err != nil || string(msg) != "ok" {
		t.Errorf("then got %q, %v", msg, err)
	}
	if len(r.Head()) != 0 {
		t.Errorf("head is still %.20q", r.Head())
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestReaderKeepsNoLargeBuffer(t *testing.T) {
	t.Parallel()
	in := mllp.Append(nil, bytes.Repeat([]byte("x"), 5<<20))
	in = mllp.Append(in, []byte("small"))
	r := mllp.NewReader(bytes.NewReader(in), 0)
	if msg, err := r.Next(); err != nil || len(msg) != 5<<20 {
		t.Fatalf("got %d bytes, %v", len(msg), err)
	}
	if msg, err := r.Next(); err != nil || string(msg) != "small" {
		t.Fatalf("got %q, %v", msg, err)
	}
	if held := mllp.HeldBy(r); held > 128<<10 {
		t.Errorf("still holds %d bytes", held)
	}
}

func TestReaderTake(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 5000, 200 << 10, 3 << 20} {
		first := bytes.Repeat([]byte("1"), size)
		in := mllp.Append(mllp.Append(nil, first), []byte("second"))
		r := mllp.NewReader(bytes.NewReader(in), 0)
		if got := r.Take(); got != nil {
			t.Errorf("taken before there was a message: %q", got)
		}
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		taken := r.Take()
		second, err := r.Next()
		if err != nil || string(second) != "second" {
			t.Errorf("size %d: second message is %q, %v", size, second, err)
		}
		if !bytes.Equal(taken, first) || taken == nil {
			t.Errorf("size %d: what was taken has changed", size)
		}
	}
}

// TestReaderGoesOnAfterADeadline fails every other read and still gets every message.
func TestReaderGoesOnAfterADeadline(t *testing.T) {
	t.Parallel()
	in := "\va\x1c\r\vbb\x1c\rgarbage\x1c\r\vccc\x1c\r"
	r := mllp.NewReader(&flaky{src: iotest.OneByteReader(strings.NewReader(in))}, 0)
	var got []string
	for len(got) < 5 {
		msg, err := r.Next()
		if errors.Is(err, errPassing) {
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		got = append(got, fmt.Sprintf("%s%v", msg, mllp.ReasonOf(err) == mllp.NoStart))
	}
	if fmt.Sprint(got) != "[afalse bbfalse true cccfalse]" {
		t.Errorf("got %v", got)
	}
}

var errPassing = errors.New("this will pass")

type flaky struct {
	src  io.Reader
	fail bool
}

func (f *flaky) Read(p []byte) (int, error) {
	if f.fail = !f.fail; f.fail {
		return 0, errPassing
	}
	return f.src.Read(p)
}

func TestReaderOnABrokenSource(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]io.Reader{
		"nothing, for ever": readFunc(func([]byte) (int, error) { return 0, nil }),
		"more than asked":   readFunc(func(p []byte) (int, error) { return len(p) + 1, nil }),
		"less than nothing": readFunc(func([]byte) (int, error) { return -1, nil }),
	} {
		if _, err := mllp.NewReader(src, 0).Next(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestReaderBuffered(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"\va\x1c\r": 0, "\va\x1c": 0, "\va\x1c\r\x00\r\n": 0, "\va\x1c\r\vb": 2, "\va\x1c\r\nx": 1,
	} {
		r := mllp.NewReader(strings.NewReader(in), 0)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got := r.Buffered(); got != want {
			t.Errorf("%q: %d bytes are buffered, want %d", in, got, want)
		}
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	for _, size := range []int{100, 820, 4096, 64 << 10} {
		frame := mllp.Append(nil, bytes.Repeat([]byte("x"), size))
		r := mllp.NewReader(&repeat{frame: frame}, 0)
		next := func() {
			if msg, err := r.Next(); err != nil || len(msg) != size {
				t.Fatalf("got %d bytes, %v", len(msg), err)
			}
		}
		next()
		if n := testing.AllocsPerRun(100, next); n != 0 {
			t.Errorf("%v allocations for a message of %d bytes", n, size)
		}
	}
}

// repeat is a stream of the same frame for ever.
type repeat struct {
	frame []byte
	at    int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.frame[r.at:])
	r.at = (r.at + n) % len(r.frame)
	return n, nil
}

func FuzzReader(f *testing.F) {
	for _, in := range []string{"", "\va\x1c\r", "\va\x1c\vb\x1c", "x\va\x1c\r", "\va\vb\x1c\r", "\va\x1cb\x1c\r", "\v" + strings.Repeat("x", 99), "\v\x06\x1c\r", "\r\n\x00\v"} {
		f.Add([]byte(in), uint8(16))
	}
	f.Fuzz(func(t *testing.T, in []byte, limit uint8) {
		max := int(limit) + 1
		whole := outcomes(mllp.NewReader(bytes.NewReader(in), max))
		if len(whole) > 2*len(in)+1 {
			t.Fatalf("%d outcomes of %d bytes", len(whole), len(in))
		}
		// Where no end byte stands before anything but what may follow a frame, the packets make no difference.
		for i, b := range in {
			if b == 0x1c && i+1 < len(in) && !strings.ContainsRune("\r\n\x00\v", rune(in[i+1])) {
				return
			}
		}
		for _, src := range []io.Reader{iotest.OneByteReader(bytes.NewReader(in)), iotest.HalfReader(bytes.NewReader(in)), iotest.DataErrReader(bytes.NewReader(in))} {
			if got := outcomes(mllp.NewReader(src, max)); fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Fatalf("whole: %v\nin pieces: %v", whole, got)
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(adt), []byte("second"), byte(0x0b), byte(0x1c), byte('\r'))
	f.Add([]byte(""), []byte("\x06"), byte(2), byte(3), byte(0))
	f.Fuzz(func(t *testing.T, one, two []byte, start, end, trailer byte) {
		framing := mllp.Framing{Start: start, End: end, Trailer: trailer}
		if framing.Validate() != nil || framing.Check(one) != nil || framing.Check(two) != nil {
			return
		}
		in := framing.Append(framing.Append(nil, one), two)
		r := framing.NewReader(iotest.OneByteReader(bytes.NewReader(in)), 1<<20)
		for i, want := range [][]byte{one, two} {
			if got, err := r.Next(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("message %d: got %q, %v; want %q", i+1, got, err, want)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func deadline() time.Time { return time.Now().Add(20 * time.Second) }
