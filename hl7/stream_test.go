package hl7_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ladlehq/ladle/hl7"
)

// chunks is a reader that returns its data in pieces of the sizes, over and over. A size
// of 0 is a read that returns nothing.
type chunks struct {
	data  []byte
	sizes []int
	n     int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	size := len(p)
	if len(c.sizes) > 0 {
		size = c.sizes[c.n%len(c.sizes)]
		c.n++
	}
	n := copy(p[:min(size, len(p))], c.data)
	c.data = c.data[n:]
	return n, nil
}

// read returns what a Reader of src makes of it, one line for each Next.
func read(t testing.TB, r *hl7.Reader) (lines []string, messages [][]byte) {
	t.Helper()
	for range 1 << 20 {
		it, err := r.Next()
		if err == io.EOF {
			if it.Kind != 0 {
				t.Error("an item with io.EOF")
			}
			return lines, messages
		}
		line := ""
		if it.Kind != 0 {
			line = fmt.Sprintf("%s@%d %q", it.Kind.Segment(), it.Offset, it.Bytes)
		}
		if it.Kind == hl7.KindMessage {
			messages = append(messages, bytes.Clone(it.Bytes))
		}
		if err != nil {
			line = strings.TrimPrefix(line+" ! "+strings.TrimPrefix(err.Error(), "hl7: "), " ")
			_, isCount := errors.AsType[*hl7.CountError](err)
			_, isParse := errors.AsType[*hl7.ParseError](err)
			_, isBatch := errors.AsType[*hl7.BatchError](err)
			if !isCount && !isParse && !isBatch || isCount != (it.Kind != 0) {
				t.Errorf("%T with %v", err, it.Kind)
			}
		}
		lines = append(lines, line)
	}
	t.Fatal("no end")
	return nil, nil
}

const (
	noMessage  = "this is no message: MSH was expected, or FHS, BHS, BTS or FTS of a batch"
	noBTS      = "the batch before has no end: its trailer BTS is missing"
	noFTS      = "the file before has no end: its trailer FTS is missing"
	noBHS      = "a batch ends here that has not begun: its header BHS is missing"
	noFHS      = "a file ends here that has not begun: its header FHS is missing"
	countOfBTS = "BTS-1 says that the number of messages in the batch is %d, and it is %d"
	countOfFTS = "FTS-1 says that the number of batches in the file is %d, and it is %d"
)

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		max      int
		want     []string
	}{
		{name: "nothing", in: ""},
		{name: "nothing but filling", in: "\ufeff\r\n\x00\n\x0b\x1c\r\x1a\ufeff"},
		{name: "one", in: "MSH|a\rPID|b\r", want: []string{`MSH@0 "MSH|a\rPID|b\r"`}},
		{name: "no last segment end", in: "MSH|a\rPID|b", want: []string{`MSH@0 "MSH|a\rPID|b"`}},
		{name: "CR", in: "MSH|a\rPID|b\rMSH|c\r", want: []string{`MSH@0 "MSH|a\rPID|b\r"`, `MSH@12 "MSH|c\r"`}},
		{name: "LF", in: "MSH|a\nPID|b\nMSH|c\n", want: []string{`MSH@0 "MSH|a\nPID|b\n"`, `MSH@12 "MSH|c\n"`}},
		{name: "CRLF", in: "MSH|a\r\nPID|b\r\nMSH|c\r\n", want: []string{`MSH@0 "MSH|a\r\nPID|b\r\n"`, `MSH@14 "MSH|c\r\n"`}},
		{name: "mixed", in: "MSH|a\nPID|b\rNK1|c\r\nMSH|d\n\rMSH|e", want: []string{`MSH@0 "MSH|a\nPID|b\rNK1|c\r\n"`, `MSH@19 "MSH|d\n"`, `MSH@26 "MSH|e"`}},
		{name: "blank lines", in: "\r\n\nMSH|a\r\r\nPID|b\n\n\r\nMSH|c\r\n\r\n", want: []string{`MSH@3 "MSH|a\r\r\nPID|b\n"`, `MSH@20 "MSH|c\r\n"`}},
		{name: "byte order mark", in: "\ufeffMSH|a\r\ufeff\ufeffMSH|b\r", want: []string{`MSH@3 "MSH|a\r\ufeff\ufeffMSH|b\r"`}},
		{name: "files with byte order marks, one behind the other", in: "\ufeffMSH|a\r\n\ufeffMSH|b\r\n", want: []string{`MSH@3 "MSH|a\r\n"`, `MSH@13 "MSH|b\r\n"`}},
		{name: "name inside of a line", in: "MSH|a\rOBX|MSH|BTS|1\rMSHX|\rMS\rM\rFHS1\r", want: []string{`MSH@0 "MSH|a\rOBX|MSH|BTS|1\rMSHX|\rMS\rM\rFHS1\r"`}},
		{name: "other separator", in: "MSH$a\rMSH#b\r", want: []string{`MSH@0 "MSH$a\r"`, `MSH@6 "MSH#b\r"`}},
		{name: "nothing but the name", in: "MSH\rMSH\nBTS\r\nMSH", want: []string{`MSH@0 "MSH\r"`, `MSH@4 "MSH\n"`, "! at byte 8: " + noBHS, `BTS@8 "BTS\r\n"`, `MSH@13 "MSH"`}},
		{name: "end of a DOS file", in: "\x0bMSH|a\r\x1c\r\n\x1a", want: []string{`MSH@1 "MSH|a\r"`}},

		{name: "frames", in: "\x0bMSH|a\rPID|b\r\x1c\r\x0bMSH|c\r\x1c\r", want: []string{`MSH@1 "MSH|a\rPID|b\r"`, `MSH@16 "MSH|c\r"`}},
		{name: "frames without last segment end", in: "\x0bMSH|a\x1c\r\x0bMSH|b\x1c\r", want: []string{`MSH@1 "MSH|a"`, `MSH@9 "MSH|b"`}},
		{name: "frames without 0x0D", in: "\x0bMSH|a\r\x1c\x0bMSH|b\r\x1c", want: []string{`MSH@1 "MSH|a\r"`, `MSH@9 "MSH|b\r"`}},
		{name: "frames with other ends", in: "\x0bMSH|a\r\x1c\r\n\x0bMSH|b\r\x1c\n\x00\x0bMSH|c\r\x1c", want: []string{`MSH@1 "MSH|a\r"`, `MSH@11 "MSH|b\r"`, `MSH@21 "MSH|c\r"`}},
		{name: "frames without 0x1C", in: "\x0bMSH|a\r\x0bMSH|b\x0bMSH|c", want: []string{`MSH@1 "MSH|a\r"`, `MSH@8 "MSH|b"`, `MSH@14 "MSH|c"`}},
		{name: "frames without 0x0B", in: "MSH|a\r\x1c\rMSH|b\r\x1cMSH|c\x1c", want: []string{`MSH@0 "MSH|a\r"`, `MSH@8 "MSH|b\r"`, `MSH@15 "MSH|c"`}},
		{name: "empty frames", in: "\x0b\x1c\r\x0b\r\x1c\r\x0bMSH|a\x1c\r", want: []string{`MSH@8 "MSH|a"`}},
		{name: "0x0B inside of a text", in: "MSH|a\rNTE|b\x0bc\x0bMS\x0b\rNTE|d", want: []string{`MSH@0 "MSH|a\rNTE|b\vc\vMS\v\rNTE|d"`}},
		{name: "byte order mark in a frame", in: "\x0b\ufeffMSH|a\x1c\r", want: []string{`MSH@4 "MSH|a"`}},
		{name: "a batch in a frame", in: "\x0bBHS|\rMSH|a\rBTS|1\r\x1c\r", want: []string{`BHS@1 "BHS|\r"`, `MSH@6 "MSH|a\r"`, `BTS@12 "BTS|1\r"`}},
		{name: "a batch of frames", in: "\x0bBHS|\x1c\r\x0bMSH|a\r\x1c\r\x0bBTS|1\x1c\r", want: []string{`BHS@1 "BHS|"`, `MSH@8 "MSH|a\r"`, `BTS@17 "BTS|1"`}},

		{name: "something else", in: "hello\rMSH|a\r", want: []string{"! at byte 0: " + noMessage, `MSH@6 "MSH|a\r"`}},
		{name: "nothing else", in: "hello", want: []string{"! at byte 0: " + noMessage}},
		{name: "one byte", in: "M", want: []string{"! at byte 0: " + noMessage}},
		{name: "half a byte order mark", in: "\xef\xbb", want: []string{"! at byte 0: " + noMessage}},
		{name: "something between frames", in: "\x0bMSH|a\r\x1c\rhello MSH|\r\rMSHx\n\x0bMSH|b\r\x1c\rbye", want: []string{`MSH@1 "MSH|a\r"`, "! at byte 9: " + noMessage, `MSH@27 "MSH|b\r"`, "! at byte 35: " + noMessage}},
		{name: "something else in frames", in: "\x0b\x06\x1c\r\x0bPID|a\r\x1c\r", want: []string{"! at byte 1: " + noMessage, "! at byte 5: " + noMessage}},
		{name: "UTF-16", in: "\xff\xfeM\x00S\x00H\x00|\x00\r\x00\n\x00P\x00", want: []string{"! at byte 0: this is no message: it may be UTF-16, and MSH was expected in single bytes"}},
		{name: "UTF-16 without a mark", in: "\x00M\x00S\x00H\x00|", want: []string{"! at byte 1: this is no message: it may be UTF-16, and MSH was expected in single bytes"}},
		{name: "behind a trailer", in: "BHS|\rBTS|0\rPID|\rMSH|a\r", want: []string{`BHS@0 "BHS|\r"`, `BTS@5 "BTS|0\r"`, "! at byte 11: " + noMessage, `MSH@16 "MSH|a\r"`}},
		{name: "behind a header", in: "BHS|\r\nSFT|a\n\nUAC|\r\nPID|\rBTS|0\r", want: []string{`BHS@0 "BHS|\r\nSFT|a\n\nUAC|\r\n"`, "! at byte 19: " + noMessage, `BTS@24 "BTS|0\r"`}},

		{name: "exactly the limit", in: "MSH|a\rPID|b\rMSH|c\r", max: 12, want: []string{`MSH@0 "MSH|a\rPID|b\r"`, `MSH@12 "MSH|c\r"`}},
		{name: "one over the limit", in: "MSH|a\rPID|bb\rMSH|c\r", max: 12, want: []string{"! at byte 0, in MSH: the message is larger than the limit of 12 bytes", `MSH@13 "MSH|c\r"`}},
		{name: "over the limit in a frame", in: "\x0bMSH|a\rPID|bb\r\x1c\r\x0bMSH|c\r\x1c\r", max: 12, want: []string{"! at byte 1, in MSH: the message is larger than the limit of 12 bytes", `MSH@17 "MSH|c\r"`}},
		{name: "over the limit at the end", in: "MSH|a\rPID|bb\r", max: 12, want: []string{"! at byte 0, in MSH: the message is larger than the limit of 12 bytes"}},
		{name: "far over the limit", in: "MSH|" + strings.Repeat("PID|b\r\n", 50000) + "MSH|c\r", max: 12, want: []string{"! at byte 0, in MSH: the message is larger than the limit of 12 bytes", `MSH@350004 "MSH|c\r"`}},
		{name: "too large counts", in: "BHS|\rMSH|aaaaaaaa\rBTS|1\rBHS|aaaaaaaa\rBTS|0\r", max: 10, want: []string{`BHS@0 "BHS|\r"`, "! at byte 5, in MSH: the message is larger than the limit of 10 bytes", `BTS@18 "BTS|1\r"`, "! at byte 24, in BHS: the batch header is larger than the limit of 10 bytes", `BTS@37 "BTS|0\r"`}},

		{name: "a file", in: "FHS|\rBHS|\rMSH|a\rMSH|b\rBTS|2\rBHS|\rBTS|0|none\rFTS|2\r", want: []string{`FHS@0 "FHS|\r"`, `BHS@5 "BHS|\r"`, `MSH@10 "MSH|a\r"`, `MSH@16 "MSH|b\r"`, `BTS@22 "BTS|2\r"`, `BHS@28 "BHS|\r"`, `BTS@33 "BTS|0|none\r"`, `FTS@44 "FTS|2\r"`}},
		{name: "files", in: "FHS|\rFTS|0\rFHS|\rFTS\r", want: []string{`FHS@0 "FHS|\r"`, `FTS@5 "FTS|0\r"`, `FHS@11 "FHS|\r"`, `FTS@16 "FTS\r"`}},
		{name: "counts that differ", in: "FHS|\rBHS|\rMSH|a\rBTS|2\rFTS|0\r", want: []string{`FHS@0 "FHS|\r"`, `BHS@5 "BHS|\r"`, `MSH@10 "MSH|a\r"`, `BTS@16 "BTS|2\r" ! at byte 16: ` + fmt.Sprintf(countOfBTS, 2, 1), `FTS@22 "FTS|0\r" ! at byte 22: ` + fmt.Sprintf(countOfFTS, 0, 1)}},
		{name: "counts in other ways", in: "BHS|\rMSH|a\rBTS|001\rBHS|\rMSH|a\rBTS|+1.0| \rBHS|\rMSH|a\rBTS$ 1 $\rBHS|\rMSH|a\rBTS|\rBHS|\rBTS|\"\"|\rBHS|\rBTS|one\rBHS|\rBTS|99999999999999999999\rBHS|\rBTS|-1\r", want: []string{
			`BHS@0 "BHS|\r"`, `MSH@5 "MSH|a\r"`, `BTS@11 "BTS|001\r"`, `BHS@19 "BHS|\r"`, `MSH@24 "MSH|a\r"`, `BTS@30 "BTS|+1.0| \r"`, `BHS@41 "BHS|\r"`, `MSH@46 "MSH|a\r"`, `BTS@52 "BTS$ 1 $\r"`, `BHS@61 "BHS|\r"`, `MSH@66 "MSH|a\r"`, `BTS@72 "BTS|\r"`, `BHS@77 "BHS|\r"`, `BTS@82 "BTS|\"\"|\r"`,
			`BHS@90 "BHS|\r"`, `BTS@95 "BTS|one\r" ! at byte 95: BTS-1 is no number; the number of messages in the batch is 0`, `BHS@103 "BHS|\r"`, `BTS@108 "BTS|99999999999999999999\r" ! at byte 108: BTS-1 is no number; the number of messages in the batch is 0`, `BHS@133 "BHS|\r"`, `BTS@138 "BTS|-1\r" ! at byte 138: BTS-1 is no number; the number of messages in the batch is 0`}},
		{name: "a file of messages counts batches", in: "FHS|\rMSH|a\rMSH|b\rFTS|1\r", want: []string{`FHS@0 "FHS|\r"`, `MSH@5 "MSH|a\r"`, `MSH@11 "MSH|b\r"`, `FTS@17 "FTS|1\r"`}},
		{name: "a file of messages counts messages", in: "FHS|\rMSH|a\rMSH|b\rFTS|2\r", want: []string{`FHS@0 "FHS|\r"`, `MSH@5 "MSH|a\r"`, `MSH@11 "MSH|b\r"`, `FTS@17 "FTS|2\r"`}},
		{name: "a file of messages counts neither", in: "FHS|\rMSH|a\rMSH|b\rFTS|3\r", want: []string{`FHS@0 "FHS|\r"`, `MSH@5 "MSH|a\r"`, `MSH@11 "MSH|b\r"`, `FTS@17 "FTS|3\r" ! at byte 17: ` + fmt.Sprintf(countOfFTS, 3, 1)}},
		{name: "messages beside a batch", in: "FHS|\rMSH|a\rBHS|\rMSH|b\rBTS|1\rMSH|c\rFTS|3\r", want: []string{`FHS@0 "FHS|\r"`, `MSH@5 "MSH|a\r"`, `BHS@11 "BHS|\r"`, `MSH@16 "MSH|b\r"`, `BTS@22 "BTS|1\r"`, `MSH@28 "MSH|c\r"`, `FTS@34 "FTS|3\r"`}},

		{name: "batch without a trailer, then another", in: "BHS|\rMSH|a\rBHS|\rBTS|0\r", want: []string{`BHS@0 "BHS|\r"`, `MSH@5 "MSH|a\r"`, "! at byte 11: " + noBTS, `BHS@11 "BHS|\r"`, `BTS@16 "BTS|0\r"`}},
		{name: "batch without a trailer, then the end", in: "BHS|\rMSH|a\r", want: []string{`BHS@0 "BHS|\r"`, `MSH@5 "MSH|a\r"`, "! at byte 11: " + noBTS}},
		{name: "batch without a trailer, then the file's", in: "FHS|\rBHS|\rMSH|a\rFTS|2\r", want: []string{`FHS@0 "FHS|\r"`, `BHS@5 "BHS|\r"`, `MSH@10 "MSH|a\r"`, "! at byte 16: " + noBTS, `FTS@16 "FTS|2\r" ! at byte 16: ` + fmt.Sprintf(countOfFTS, 2, 1)}},
		{name: "file in a batch in a file", in: "FHS|\rBHS|\rFHS|\rFTS|0\r", want: []string{`FHS@0 "FHS|\r"`, `BHS@5 "BHS|\r"`, "! at byte 10: " + noBTS, "! at byte 10: " + noFTS, `FHS@10 "FHS|\r"`, `FTS@15 "FTS|0\r"`}},
		{name: "file and batch without a trailer", in: "FHS|\rBHS|\r", want: []string{`FHS@0 "FHS|\r"`, `BHS@5 "BHS|\r"`, "! at byte 10: " + noBTS, "! at byte 10: " + noFTS}},
		{name: "trailers without a header", in: "MSH|a\rBTS|2\rBTS|0\rFTS|2\r", want: []string{`MSH@0 "MSH|a\r"`, "! at byte 6: " + noBHS, `BTS@6 "BTS|2\r" ! at byte 6: ` + fmt.Sprintf(countOfBTS, 2, 1), "! at byte 12: " + noBHS, `BTS@12 "BTS|0\r"`, "! at byte 18: " + noFHS, `FTS@18 "FTS|2\r"`}},
	} {
		for how, src := range map[string]io.Reader{
			"whole":           strings.NewReader(c.in),
			"byte by byte":    iotest.OneByteReader(strings.NewReader(c.in)),
			"end with data":   iotest.DataErrReader(strings.NewReader(c.in)),
			"in odd pieces":   &chunks{data: []byte(c.in), sizes: []int{3, 0, 1, 7, 2}},
			"in large pieces": &chunks{data: []byte(c.in), sizes: []int{65535, 2}},
		} {
			r := hl7.NewReader(src)
			r.MaxMessage = c.max
			if got, _ := read(t, r); !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: got\n%s\nwant\n%s", c.name, how, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		}
	}
}

// A message in a frame is there when the frame's end is, whatever comes later.
func TestReaderReturnsAFramedMessageAtItsEnd(t *testing.T) {
	t.Parallel()
	pr, pw := io.Pipe()
	defer pr.Close()
	r := hl7.NewReader(pr)
	for _, m := range []string{"MSH|a\r", "MSH|b", "MSH|c\r\n"} {
		done := make(chan error, 1)
		go func() {
			_, err := pw.Write([]byte("\x0b" + m + "\x1c"))
			done <- err
		}()
		if it, err := r.Next(); err != nil || string(it.Bytes) != m {
			t.Errorf("%q: %q, %v", m, it.Bytes, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestReaderGoesOnAfterAnErrorOfTheSource(t *testing.T) {
	t.Parallel()
	in := "MSH|a\rPID|b\r\nMSH|c\rgarbage\r"
	broken := errors.New("broken")
	for at := range len(in) + 1 {
		for _, together := range []bool{false, true} {
			src := io.MultiReader(strings.NewReader(in[:at]), &once{err: broken}, strings.NewReader(in[at:]))
			if together {
				src = iotest.DataErrReader(src)
			}
			r := hl7.NewReader(src)
			var got []string
			failed := 0
			for {
				it, err := r.Next()
				if err == io.EOF {
					break
				}
				if errors.Is(err, broken) {
					failed++
					continue
				}
				got = append(got, string(it.Bytes))
			}
			if want := []string{"MSH|a\rPID|b\r\n", "MSH|c\rgarbage\r"}; failed != 1 || !slices.Equal(got, want) {
				t.Errorf("broken at %d: %d errors, %q", at, failed, got)
			}
		}
	}
}

// once is a reader that fails once and has ended then.
type once struct{ err error }

func (o *once) Read([]byte) (int, error) {
	err := o.err
	o.err = io.EOF
	return 0, err
}

func TestReaderGivesUpOnASourceThatReturnsNothing(t *testing.T) {
	t.Parallel()
	r := hl7.NewReader(&chunks{data: []byte("MSH|"), sizes: []int{0}})
	if _, err := r.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

// madeUp is a reader of the parts, each of them n times, that holds one of each.
type madeUp struct {
	parts []part
	rest  string
}

type part struct {
	text string
	n    int
}

func (m *madeUp) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(m.rest) == 0 {
			if len(m.parts) == 0 {
				break
			}
			m.rest = m.parts[0].text
			if m.parts[0].n--; m.parts[0].n == 0 {
				m.parts = m.parts[1:]
			}
		}
		k := copy(p[n:], m.rest)
		m.rest = m.rest[k:]
		n += k
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// allocated returns how many bytes work allocates. No other test may run meanwhile.
func allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestReaderNeedsConstantMemory(t *testing.T) {
	const n = 100
	message := "MSH|^~\\&|LAB\r" + strings.Repeat("OBX|1|ST|A||"+strings.Repeat("x", 60)+"\r", 30)
	many := strings.Repeat(message, 1000)
	src := &madeUp{parts: []part{{"BHS|^~\\&\r", 1}, {many, n}, {"BTS|" + fmt.Sprint(n*1000) + "\r", 1}, {"garbage\r", 1 << 14}, {strings.Repeat("\r\n", 1000), 1000}}}
	r := hl7.NewReader(src)
	messages, others, size := 0, 0, 0
	got := allocated(func() {
		for {
			it, err := r.Next()
			if err == io.EOF {
				return
			}
			switch {
			case it.Kind == hl7.KindMessage && err == nil && len(it.Bytes) == len(message):
				messages++
				size += len(it.Bytes)
			default:
				others++
			}
		}
	})
	if messages != n*1000 || others != 3 {
		t.Errorf("%d messages and %d others", messages, others)
	}
	if size < 200<<20 || got > 1<<20 {
		t.Errorf("%d bytes were allocated for %d", got, size)
	}
}

func TestReaderOfALargeMessage(t *testing.T) {
	line := strings.Repeat("QUJD", 1<<18)
	src := func() io.Reader {
		return &packets{&madeUp{parts: []part{{"MSH|^~\\&|A\rOBX|1|ED|A||", 1}, {line, 200}, {"\rMSH|^~\\&|B\r", 1}}}}
	}
	size := 200*len(line) + len("MSH|^~\\&|A\rOBX|1|ED|A||\r")
	next := func(r *hl7.Reader) {
		if it, err := r.Next(); err != nil || string(it.Bytes) != "MSH|^~\\&|B\r" {
			t.Errorf("behind it: %d bytes, %v", len(it.Bytes), err)
		}
	}
	got := allocated(func() {
		r := hl7.NewReader(src())
		it, err := r.Next()
		if err != nil || len(it.Bytes) != size {
			t.Errorf("%d bytes, %v", len(it.Bytes), err)
		}
		next(r)
	})
	if got > uint64(size)*27/10 {
		t.Errorf("%d bytes were allocated for a message of %d", got, size)
	}
	// Over the limit it is passed over without being held.
	got = allocated(func() {
		r := hl7.NewReader(src())
		r.MaxMessage = 1 << 20
		_, err := r.Next()
		if e, ok := errors.AsType[*hl7.ParseError](err); !ok || e.Offset != 0 {
			t.Error(err)
		}
		next(r)
	})
	if got > 4<<20 {
		t.Errorf("%d bytes were allocated for a message over the limit", got)
	}
}

// packets returns no more than 1460 bytes at once.
type packets struct{ src io.Reader }

func (p *packets) Read(b []byte) (int, error) { return p.src.Read(b[:min(len(b), 1460)]) }

// batches are the real batch files.
func batches(t testing.TB) map[string][]byte {
	t.Helper()
	return messagesIn(t, filepath.Join("testdata", "batches"))
}

func TestReaderOfRealBatches(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"b001.hl7": "FHS BHS MSH MSH BTS! FTS",
		"b002.hl7": "BHS MSH MSH BTS!",
		"b003.hl7": "BHS MSH MSH MSH BTS",
		"b004.hl7": "FHS BHS MSH MSH BTS BHS MSH BTS FTS",
		"b005.hl7": "FHS BHS MSH MSH BTS FTS",
		"b006.hl7": "BHS" + strings.Repeat(" MSH", 12) + " BTS",
	}
	for name, raw := range batches(t) {
		r := hl7.NewReader(bytes.NewReader(raw))
		var got []string
		var all []byte
		for {
			it, err := r.Next()
			if err == io.EOF {
				break
			}
			what := it.Kind.Segment()
			if err != nil {
				what += "!"
			}
			got = append(got, what)
			all = append(all, it.Bytes...)
		}
		if s := strings.Join(got, " "); s != want[name] {
			t.Errorf("%s: %s", name, s)
		}
		if !bytes.Equal(all, raw) {
			t.Errorf("%s: the items are not the file", name)
		}
	}
}

// A real message alone is one item.
func TestReaderOfRealMessages(t *testing.T) {
	t.Parallel()
	for name, raw := range corpus(t) {
		if _, err := hl7.ParseHeader(raw); err != nil {
			continue
		}
		_, messages := read(t, hl7.NewReader(bytes.NewReader(raw)))
		if bytes.Contains(bytes.TrimLeft(raw, "\r\n"), []byte("\rMSH|")) || bytes.Contains(raw, []byte("\nMSH|")) {
			continue // two in one file
		}
		if len(messages) != 1 || !bytes.Equal(bytes.Trim(messages[0], "\r\n"), bytes.Trim(raw, "\r\n\ufeff")) {
			t.Errorf("%s: %d messages", name, len(messages))
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(hl7.KindMessage, hl7.KindFileHeader, hl7.KindBatchHeader, hl7.KindBatchTrailer, hl7.KindFileTrailer, hl7.Kind(0)); got != "message file header batch header batch trailer file trailer kind 0" {
		t.Error(got)
	}
}

// A Reader finds what ParseFile finds, however the bytes arrive.
func FuzzStream(f *testing.F) {
	for _, raw := range batches(f) {
		f.Add(raw, uint8(0), uint8(1), uint8(0))
	}
	for _, raw := range corpus(f) {
		f.Add(slices.Concat([]byte("\x0b"), raw, []byte("\x1c\r\x0b"), raw, []byte("\x1c")), uint8(200), uint8(3), uint8(90))
	}
	for _, s := range []string{
		"\ufeffMSH|a\r\n\ufeffMSH|b\r\n\x00\x1a", "FHS|\rBHS|\rSFT|\rMSH|a\rFHS|\rFTS|1\rMSH", "\x0bMSH|a\x0b\x0bMSH\x0b\x1cx\x1c\ry\rMSH|", "MSH|a\rMSHx\rMS\x1cBTS\rPID\rFTS|x\r",
	} {
		f.Add([]byte(s), uint8(1), uint8(5), uint8(6))
	}
	f.Fuzz(func(t *testing.T, raw []byte, one, two, limit uint8) {
		several, items := false, 0
		var firstErr error
		var messages [][]byte
		end := int64(0)
		r := hl7.NewReader(&chunks{data: bytes.Clone(raw), sizes: []int{int(one), int(two) + 1}})
		ended := false
		for {
			it, err := r.Next()
			if err == io.EOF {
				break
			}
			if firstErr == nil {
				firstErr = err
			}
			if it.Kind == 0 {
				continue
			}
			if it.Offset < end || !bytes.HasPrefix(raw[it.Offset:], it.Bytes) || !bytes.HasPrefix(it.Bytes, []byte(it.Kind.Segment())) {
				t.Fatalf("%v at %d: %q", it.Kind, it.Offset, it.Bytes)
			}
			end = it.Offset + int64(len(it.Bytes))
			several = several || ended || it.Kind == hl7.KindFileHeader && items > 0
			ended = ended || it.Kind == hl7.KindFileTrailer
			items++
			if it.Kind == hl7.KindMessage {
				messages = append(messages, bytes.Clone(it.Bytes))
			}
			for i := range it.Bytes {
				it.Bytes[i] = 'x'
			}
		}
		if it, err := r.Next(); err != io.EOF || it.Kind != 0 {
			t.Fatalf("behind the end: %v, %v", it.Kind, err)
		}
		file, err := hl7.ParseFile(raw)
		var got [][]byte
		for _, b := range file.Batches {
			got = append(got, b.Messages...)
		}
		if !slices.EqualFunc(got, messages, bytes.Equal) {
			t.Fatalf("ParseFile has\n%q\nReader has\n%q", got, messages)
		}
		if !several && fmt.Sprint(err) != fmt.Sprint(firstErr) || several && err == nil {
			t.Fatalf("ParseFile: %v\nReader: %v", err, firstErr)
		}

		// What was cut goes together again.
		text := file.AppendTo(nil)
		again, _ := hl7.ParseFile(text)
		if second := again.AppendTo(nil); !bytes.Equal(second, text) {
			t.Fatalf("%q becomes %q", text, second)
		}
		_, messages = read(t, hl7.NewReader(bytes.NewReader(text)))
		if len(messages) != len(got) {
			t.Fatalf("%d messages become %d", len(got), len(messages))
		}
		for i, m := range messages {
			if !bytes.Equal(m, got[i]) && !bytes.Equal(m, append(bytes.Clone(got[i]), '\r')) {
				t.Fatalf("%q becomes %q", got[i], m)
			}
		}

		// A limit cuts the same however the bytes arrive.
		limited := func(src io.Reader) []string {
			r := hl7.NewReader(src)
			r.MaxMessage = int(limit) + 1
			lines, messages := read(t, r)
			for _, m := range messages {
				if len(m) > r.MaxMessage {
					t.Fatalf("%d bytes over the limit of %d", len(m), r.MaxMessage)
				}
			}
			return lines
		}
		whole, pieces := limited(bytes.NewReader(raw)), limited(&chunks{data: raw, sizes: []int{int(two) + 1, int(one)}})
		if !slices.Equal(whole, pieces) {
			t.Fatalf("whole %q\nin pieces %q", whole, pieces)
		}

		// And a writer's counts are right.
		var out bytes.Buffer
		w := hl7.NewBatchWriter(&out, hl7.BatchOptions{File: true})
		written := 0
		for _, m := range append(got, raw) {
			if w.WriteMessage(m) == nil {
				written++
			}
		}
		if err := w.Close(); err != nil || written < len(got) {
			t.Fatalf("%d of %d messages, %v", written, len(got), err)
		}
		if file, err = hl7.ParseFile(out.Bytes()); err != nil || len(file.Batches[0].Messages) != written {
			t.Fatalf("of %d messages come back %d, %v", written, len(file.Batches[0].Messages), err)
		}
	})
}

func ExampleReader() {
	file := "FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" +
		"MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M1|P|2.5\rPID|1||4711\r" +
		"MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140712||ORU^R01|M2|P|2.5\rPID|1||4712\r" +
		"BTS|3\rFTS|1\r"
	r := hl7.NewReader(strings.NewReader(file))
	for {
		it, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
		}
		if it.Kind != hl7.KindMessage {
			continue
		}
		m, err := hl7.Parse(it.Bytes)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(it.Offset, m.Header().ControlID(), m.Get(hl7.MustPath("PID-3")))
	}
	// Output:
	// 26 M1 4711
	// 98 M2 4712
	// hl7: at byte 170: BTS-1 says that the number of messages in the batch is 3, and it is 2
}
