package hl7_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

// outline writes a file as its parts.
func outline(f *hl7.File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", f.Header)
	for _, batch := range f.Batches {
		fmt.Fprintf(&b, " (%q %q %q)", batch.Header, batch.Messages, batch.Trailer)
	}
	fmt.Fprintf(&b, " %q", f.Trailer)
	return b.String()
}

func TestParseFile(t *testing.T) {
	t.Parallel()
	const another = "another file begins here: a Reader reads several"
	for _, c := range []struct{ name, in, want, err, out string }{
		{name: "nothing", in: "\r\n", want: `"" ""`, out: ""},
		{name: "a file", in: "FHS|\rBHS|\rMSH|a\rMSH|b\rBTS|2\rBHS|\rBTS|0\rFTS|2\r", want: `"FHS|\r" ("BHS|\r" ["MSH|a\r" "MSH|b\r"] "BTS|2\r") ("BHS|\r" [] "BTS|0\r") "FTS|2\r"`},
		{name: "messages", in: "MSH|a\r\nMSH|b\n\n", want: `"" ("" ["MSH|a\r\n" "MSH|b\n"] "") ""`, out: "MSH|a\r\nMSH|b\n"},
		{name: "frames", in: "\x0bFHS|\x1c\r\x0bMSH|a\x1c\r\x0bMSH|b\r\x1c\r\x0bFTS|2\x1c\r", want: `"FHS|" ("" ["MSH|a" "MSH|b\r"] "") "FTS|2"`, out: "FHS|\rMSH|a\rMSH|b\rFTS|2\r"},
		{name: "a file of messages", in: "FHS|\rMSH|a\rMSH|b\rFTS|1\r", want: `"FHS|\r" ("" ["MSH|a\r" "MSH|b\r"] "") "FTS|1\r"`},
		{name: "messages beside a batch", in: "MSH|a\rBHS|\rMSH|b\rBTS|1\rMSH|c\r", want: `"" ("" ["MSH|a\r"] "") ("BHS|\r" ["MSH|b\r"] "BTS|1\r") ("" ["MSH|c\r"] "") ""`},
		{name: "counts", in: "BHS|\rMSH|a\rBTS|2\r", want: `"" ("BHS|\r" ["MSH|a\r"] "BTS|2\r") ""`, err: "at byte 11: " + fmt.Sprintf(countOfBTS, 2, 1)},
		{name: "counts of a file", in: "FHS|\rMSH|a\rFTS|2\r", want: `"FHS|\r" ("" ["MSH|a\r"] "") "FTS|2\r"`, err: "at byte 11: " + fmt.Sprintf(countOfFTS, 2, 1)},
		{name: "no trailers", in: "FHS|\rBHS|\rMSH|a\r", want: `"FHS|\r" ("BHS|\r" ["MSH|a\r"] "") ""`, err: "at byte 16: " + noBTS},
		{name: "no file trailer", in: "FHS|\rMSH|a\r", want: `"FHS|\r" ("" ["MSH|a\r"] "") ""`, err: "at byte 11: " + noFTS},
		{name: "no headers", in: "MSH|a\rBTS|1\rFTS|1\r", want: `"" ("" ["MSH|a\r"] "BTS|1\r") "FTS|1\r"`, err: "at byte 6: " + noBHS},
		{name: "no file header", in: "BHS|\rBTS|0\rFTS|1\r", want: `"" ("BHS|\r" [] "BTS|0\r") "FTS|1\r"`, err: "at byte 11: " + noFHS},
		{name: "batch in a batch", in: "BHS|a\rMSH|a\rBHS|b\rMSH|b\rBTS|1\r", want: `"" ("BHS|a\r" ["MSH|a\r"] "") ("BHS|b\r" ["MSH|b\r"] "BTS|1\r") ""`, err: "at byte 12: " + noBTS},
		{name: "something else", in: "hello\rMSH|a\r\x1cbye\x1c", want: `"" ("" ["MSH|a\r"] "") ""`, err: "at byte 0: " + noMessage, out: "MSH|a\r"},
		{name: "several files", in: "FHS|a\rMSH|a\rFTS|1\rFHS|b\rMSH|b\rFTS|1\r", want: `"FHS|a\r" ("" ["MSH|a\r"] "") ("" ["MSH|b\r"] "") "FTS|1\r"`, err: "at byte 18, in FHS: " + another, out: "FHS|a\rMSH|a\rMSH|b\rFTS|1\r"},
		{name: "a message, then a file", in: "MSH|a\rFHS|b\rFTS|0\r", want: `"" ("" ["MSH|a\r"] "") "FTS|0\r"`, err: "at byte 6, in FHS: " + another, out: "MSH|a\rFTS|0\r"},
	} {
		f, err := hl7.ParseFile([]byte(c.in))
		if got := outline(f); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "hl7: ")
		}
		if got != c.err {
			t.Errorf("%s: got error %q, want %q", c.name, got, c.err)
		}
		if c.out == "" && c.name != "nothing" {
			c.out = c.in
		}
		if got := f.AppendTo([]byte("before ")); string(got) != "before "+c.out {
			t.Errorf("%s comes back as %q", c.name, got)
		}
	}
}

// The parts are slices of the file that can't grow into each other.
func TestParseFileDoesNotCopy(t *testing.T) {
	t.Parallel()
	raw := []byte("MSH|a\rMSH|b\r")
	f, err := hl7.ParseFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	messages := f.Batches[0].Messages
	if &messages[1][0] != &raw[6] {
		t.Error("a copy")
	}
	_ = append(messages[0], 'x')
	if string(raw) != "MSH|a\rMSH|b\r" {
		t.Errorf("%q", raw)
	}
}

func TestRealBatchesAreKeptExactly(t *testing.T) {
	t.Parallel()
	for name, raw := range batches(t) {
		f, err := hl7.ParseFile(raw)
		_, isCount := errors.AsType[*hl7.CountError](err)
		if want := name == "b001.hl7" || name == "b002.hl7"; isCount != want || err != nil && !want {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(f.AppendTo(nil), raw) {
			t.Errorf("%s changed", name)
		}
	}
}

func TestCountErrorSaysTheNumbers(t *testing.T) {
	t.Parallel()
	_, err := hl7.ParseFile([]byte("BHS|\rMSH|secret\rBTS|7|secret\r"))
	if e, ok := errors.AsType[*hl7.CountError](err); !ok || *e != (hl7.CountError{Segment: "BTS", Declared: 7, Found: 1, Offset: 16}) || strings.Contains(e.Error(), "secret") {
		t.Error(err)
	}
	_, err = hl7.ParseFile([]byte("FHS|\rFTS|secret\r"))
	if e, ok := errors.AsType[*hl7.CountError](err); !ok || *e != (hl7.CountError{Segment: "FTS", Declared: -1, Found: 0, Offset: 5}) || strings.Contains(e.Error(), "secret") {
		t.Error(err)
	}
	_, err = hl7.ParseFile([]byte("BHS|\rsecret\r"))
	if e, ok := errors.AsType[*hl7.ParseError](err); !ok || e.Offset != 5 || strings.Contains(e.Error(), "secret") {
		t.Error(err)
	}
	_, err = hl7.ParseFile([]byte("BHS|\r"))
	if e, ok := errors.AsType[*hl7.BatchError](err); !ok || *e != (hl7.BatchError{Missing: "BTS", Offset: 5}) {
		t.Error(err)
	}
}

func TestBatchWriter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options hl7.BatchOptions
		batches [][]string
		want    string
	}{
		{name: "nothing", batches: [][]string{{}}, want: "BHS|^~\\&\rBTS|0\r"},
		{name: "nothing in a file", options: hl7.BatchOptions{File: true}, batches: [][]string{{}}, want: "FHS|^~\\&\rBHS|^~\\&\rBTS|0\rFTS|1\r"},
		{name: "messages", batches: [][]string{{"MSH|a\r", "MSH|b\rPID|b", "MSH|c\nPID|c\n", "MSH|d\r\n\r\n"}}, want: "BHS|^~\\&\rMSH|a\rMSH|b\rPID|b\rMSH|c\nPID|c\nMSH|d\r\n\r\nBTS|4\r"},
		{name: "delimiters", options: hl7.BatchOptions{File: true, Delimiters: hl7.Delimiters{Field: '$', Component: '%'}}, batches: [][]string{{"MSH|a\r"}}, want: "FHS$%\rBHS$%\rMSH|a\rBTS$1\rFTS$1\r"},
		{name: "headers", options: hl7.BatchOptions{FileHeader: []byte("FHS|^~\\&|A\r\nSFT|a\r\n"), BatchHeader: []byte("BHS#^~\\&#B")}, batches: [][]string{{"MSH|a\r"}, {}, {"MSH|b\r", "MSH|c\r"}}, want: "FHS|^~\\&|A\r\nSFT|a\r\nBHS#^~\\&#B\rMSH|a\rBTS#1\rBHS|^~\\&|1\rBTS|0\rBHS|^~\\&|2\rMSH|b\rMSH|c\rBTS|2\rFTS|3\r"},
	} {
		var out bytes.Buffer
		w := hl7.NewBatchWriter(&out, c.options)
		for i, batch := range c.batches {
			if i > 0 {
				if err := w.NextBatch(fmt.Appendf(nil, "BHS|^~\\&|%d", i)); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			for _, m := range batch {
				if err := w.WriteMessage([]byte(m)); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if out.String() != c.want {
			t.Errorf("%s: got %q, want %q", c.name, out.String(), c.want)
		}
		if _, err := hl7.ParseFile(out.Bytes()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestBatchWriterRefuses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := hl7.NewBatchWriter(&out, hl7.BatchOptions{})
	for raw, want := range map[string]string{
		"":                   "hl7: at byte 0: a message begins with MSH",
		"PID|secret\r":       "hl7: at byte 0: a message begins with MSH",
		"\rMSH|a\r":          "hl7: at byte 0: a message begins with MSH",
		"\x0bMSH|a\r\x1c\r":  "hl7: at byte 0: a message begins with MSH",
		"MSHsecret":          "hl7: at byte 0: a message begins with MSH",
		"BHS|a\r":            "hl7: at byte 0: a message begins with MSH",
		"MSH|a\r\x1c\r":      "hl7: at byte 6: the byte 0x1C would end the message here",
		"MSH|a\rMSH|secret":  "hl7: at byte 6: the message ends before this: another segment of a batch was not expected in it",
		"MSH|a\rPID\n\nBTS":  "hl7: at byte 11: the message ends before this: another segment of a batch was not expected in it",
		"MSH|a\x0bMSH|b":     "hl7: at byte 5: the message ends before this: another segment of a batch was not expected in it",
		"MSH|a\r\ufeffFHS|b": "hl7: at byte 6: the message ends before this: another segment of a batch was not expected in it",
	} {
		err := w.WriteMessage([]byte(raw))
		if _, ok := errors.AsType[*hl7.ParseError](err); !ok || err.Error() != want {
			t.Errorf("%q: got %v, want %s", raw, err, want)
		}
	}
	if err := w.NextBatch([]byte("FHS|^~\\&\r")); err == nil || err.Error() != "hl7: at byte 0: a batch header begins with BHS" {
		t.Error(err)
	}
	if out.Len() > 0 {
		t.Errorf("%q was written", out.Bytes())
	}
	if err := w.Close(); err != nil || out.String() != "BHS|^~\\&\rBTS|0\r" {
		t.Errorf("%q, %v", out.Bytes(), err)
	}
	for name, err := range map[string]error{"WriteMessage": w.WriteMessage([]byte("MSH|a\r")), "NextBatch": w.NextBatch(nil), "Close": w.Close()} {
		if !errors.Is(err, fs.ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestBatchWriterRefusesOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]hl7.BatchOptions{
		"hl7: at byte 0: a file header begins with FHS":                                                        {FileHeader: []byte{}},
		"hl7: at byte 0: a batch header begins with BHS":                                                       {BatchHeader: []byte("MSH|")},
		"hl7: at byte 6: the batch header ends before this: another segment of a batch was not expected in it": {BatchHeader: []byte("BHS|a\rPID|\r")},
		"hl7: at byte 3, in FHS: the field separator is missing: the message ends behind the segment's name":   {FileHeader: []byte("FHS\r")},
		"hl7: at byte 4, in BHS: field 2 must have the encoding characters: punctuation, such as ^~\\&":        {BatchHeader: []byte("BHS|a|\r")},
		"hl7: at byte 0: a batch header begins with BHS ":                                                      {Delimiters: hl7.Delimiters{Field: 'x'}},
		"hl7: at byte 5, in BHS: field 2 names one character for two delimiters":                               {Delimiters: hl7.Delimiters{Field: '|', Component: '^', Repetition: '^'}},
	} {
		var out bytes.Buffer
		w := hl7.NewBatchWriter(&out, o)
		for name, err := range map[string]error{"WriteMessage": w.WriteMessage([]byte("MSH|a\r")), "NextBatch": w.NextBatch(nil), "Close": w.Close()} {
			if _, ok := errors.AsType[*hl7.ParseError](err); !ok || err.Error() != strings.TrimSpace(want) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
		if out.Len() > 0 {
			t.Errorf("%q was written", out.Bytes())
		}
	}
}

// failing is a writer that takes so many bytes.
type failing struct {
	room int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

func TestBatchWriterKeepsTheErrorOfItsWriter(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	size := len("FHS|^~\\&\rBHS|^~\\&\rMSH|a\rBTS|1\rBHS|^~\\&\rBTS|0\rFTS|2\r")
	for room := range size {
		for _, short := range []error{full, nil} {
			w := hl7.NewBatchWriter(&failing{room, short}, hl7.BatchOptions{File: true})
			want := full
			if short == nil {
				want = io.ErrShortWrite
			}
			errs := []error{w.WriteMessage([]byte("MSH|a")), w.NextBatch(nil), w.Close(), w.Close()}
			first := slices.IndexFunc(errs, func(err error) bool { return err != nil })
			for _, err := range errs[first:] {
				if !errors.Is(err, want) {
					t.Errorf("room for %d: %v", room, errs)
				}
			}
		}
	}
}

func ExampleBatchWriter() {
	var out bytes.Buffer
	w := hl7.NewBatchWriter(&out, hl7.BatchOptions{
		File:        true,
		BatchHeader: []byte("BHS|^~\\&|LAB|HOSP"),
	})
	for _, id := range []string{"M1", "M2"} {
		if err := w.WriteMessage([]byte("MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|" + id + "|P|2.5\rPID|1||4711\r")); err != nil {
			fmt.Println(err)
		}
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	show(out.Bytes())
	// Output:
	// FHS|^~\&
	// BHS|^~\&|LAB|HOSP
	// MSH|^~\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M1|P|2.5
	// PID|1||4711
	// MSH|^~\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M2|P|2.5
	// PID|1||4711
	// BTS|2
	// FTS|1
}
