package mllp_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7/mllp"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		framing        mllp.Framing
		dst, msg, want string
	}{
		{mllp.Framing{}, "", "a", "\va\x1c\r"},
		{mllp.Framing{}, "\va\x1c\r", "b", "\va\x1c\r\vb\x1c\r"},
		{mllp.Framing{}, "", "", "\v\x1c\r"},
		{mllp.Framing{Start: 2, End: 3}, "", "a", "\x02a\x03"},
		{mllp.Framing{Start: 2, End: 3, Trailer: 4}, "", "a", "\x02a\x03\x04"},
	} {
		if got := test.framing.Append([]byte(test.dst), []byte(test.msg)); string(got) != test.want {
			t.Errorf("%+v: got %q, want %q", test.framing, got, test.want)
		}
	}
	if got := mllp.Append(nil, []byte("a")); string(got) != "\va\x1c\r" {
		t.Errorf("Append: got %q", got)
	}
}

func TestFramingValidate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		framing mllp.Framing
		want    string // part of the error
	}{
		{mllp.Framing{}, ""},
		{mllp.Standard(), ""},
		{mllp.Framing{Start: 2, End: 3}, ""},
		{mllp.Framing{Start: 2}, "end byte 0x00"},
		{mllp.Framing{End: 3}, "start byte 0x00"},
		{mllp.Framing{Start: '\r', End: 3}, "start byte 0x0D"},
		{mllp.Framing{Start: 2, End: '\n'}, "end byte 0x0A"},
		{mllp.Framing{Start: 2, End: 2}, "are both 0x02"},
		{mllp.Framing{Start: 2, End: 3, Trailer: 2}, "trailer 0x02"},
		{mllp.Framing{Start: 2, End: 3, Trailer: 3}, "trailer 0x03"},
	} {
		err := test.framing.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.framing, err, test.want)
		}
	}
}

func TestFramingCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		msg    string
		reason mllp.Reason
		offset int64
	}{
		{"", 0, 0},
		{adt, 0, 0},
		{"a\vb\x1c", mllp.StartInside, 1},
		{"ab\x1cc\v", mllp.EndInside, 2},
	} {
		err := mllp.Framing{}.Check([]byte(test.msg))
		if mllp.ReasonOf(err) != test.reason {
			t.Errorf("%q: %v", test.msg, err)
		}
		var fe *mllp.FrameError
		if errors.As(err, &fe) && fe.Offset != test.offset {
			t.Errorf("%q: offset %d, want %d", test.msg, fe.Offset, test.offset)
		}
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		content string
		want    mllp.Commit
	}{
		{"\x06", mllp.CommitACK}, {"\x15", mllp.CommitNAK}, {"", mllp.NoCommit}, {"\x06\x06", mllp.NoCommit}, {"\x07", mllp.NoCommit}, {adt, mllp.NoCommit},
	} {
		if got := mllp.CommitOf([]byte(test.content)); got != test.want {
			t.Errorf("%q is %v, want %v", test.content, got, test.want)
		}
	}
	if got := (mllp.Framing{}).AppendCommit(nil, mllp.CommitNAK); string(got) != "\v\x15\x1c\r" {
		t.Errorf("got %q", got)
	}
}

func TestFrameErrorText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want string
	}{
		{"MSH", "mllp: no start byte at offset 0: the peer doesn't frame its messages, or speaks another protocol"},
		{"\v123456", "mllp: message over the limit of 5 bytes at offset 6: raise the limit if such messages are expected"},
		{"\v12\v", "mllp: start byte inside a message at offset 3, after 2 bytes of it"},
		{"\v12", "mllp: message cut off by the end of the stream at offset 3, after 2 bytes of it"},
	} {
		_, err := mllp.NewReader(strings.NewReader(test.in), 5).Next()
		if err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) != (mllp.ReasonOf(err) == mllp.Truncated) {
			t.Errorf("%v: io.ErrUnexpectedEOF is %v", err, errors.Is(err, io.ErrUnexpectedEOF))
		}
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]mllp.Protocol{
		"":                     mllp.UnknownProtocol,
		"\x16":                 mllp.UnknownProtocol,
		"\x16\x03\x01\x02":     mllp.TLSProtocol,
		"\x15\x03\x03\x00\x02": mllp.TLSProtocol,
		"GET / HTTP/1.1":       mllp.HTTPProtocol,
		"POST /hl7":            mllp.HTTPProtocol,
		"HTTP/1.1 400":         mllp.HTTPProtocol,
		"<!DOCTYPE HTML>":      mllp.HTTPProtocol,
		"MSH|^~\\&":            mllp.UnframedHL7,
		"FHS|^~\\&":            mllp.UnframedHL7,
		"\vMSH|":               mllp.FramedHL7,
		"\vMSHx"[:4]:           mllp.FramedHL7,
		"SSH-2.0":              mllp.UnknownProtocol,
	} {
		if got := mllp.Sniff([]byte(head)); got != want {
			t.Errorf("%q is %v, want %v", head, got, want)
		}
	}
}

func TestFramingText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]mllp.Framing{
		"0B 1C 0D":       mllp.Standard(),
		"0x0b 0x1c 0x0d": mllp.Standard(),
		"0203":           {Start: 2, End: 3},
	} {
		var f mllp.Framing
		if err := f.UnmarshalText([]byte(text)); err != nil || f != want {
			t.Errorf("%q: %v, %v", text, f, err)
		}
		out, err := f.MarshalText()
		var again mllp.Framing
		if err != nil || again.UnmarshalText(out) != nil || again != want {
			t.Errorf("%q: written as %q, %v", text, out, err)
		}
	}
	for _, text := range []string{"", "0B", "0B1C0D0A", "VT FS CR", "0B 1"} {
		if err := new(mllp.Framing).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a framing", text)
		}
	}
	if got := (mllp.Framing{}).String(); got != "0B 1C 0D" {
		t.Errorf("got %q", got)
	}
}
