package hl7_test

import (
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestSetValue(t *testing.T) {
	t.Parallel()
	from := parse(t, header("8859/1")+"PID|1||a^b&c~d\\T\\\\S\\$%\\H\\\xe9\\N\\\\.br\\\\X0D\\\\Zx\\q|\"\"|\\q\\F\\\r")
	to := parse(t, "MSH$%?!@$A$$$$$$$$$$$$$$$UNICODE UTF-8\rPID$1\r")
	for _, c := range []struct{ from, to, want string }{
		{"PID-3", "PID-3", "a%b@c"},
		{"PID-3[2]", "PID-3", "d&^!F!!S!!H!é!N!!.br!!X0D!!Zx!q"},
		{"PID-3.2", "PID-4", "b@c"},
		{"PID-3.2.2", "PID-4.2.2", "c"},
		{"PID-4", "PID-5", `""`},
		{"PID-5", "PID-6", `\q|`},
		{"MSH-2", "PID-7", "^~\\&"},
	} {
		v, ok := from.Lookup(hl7.MustPath(c.from))
		if !ok {
			t.Fatal(c.from)
		}
		if err := to.SetValue(hl7.MustPath(c.to), v); err != nil {
			t.Errorf("%s: %v", c.from, err)
			continue
		}
		if got, _ := to.Lookup(hl7.MustPath(c.to)); string(got.Raw()) != c.want {
			t.Errorf("%s: %q, want %q", c.from, got.Raw(), c.want)
		}
	}
	s := from.Segment(1)
	whole, _ := s.Field(3)
	if err := to.SetValue(hl7.MustPath("PID-8"), whole); err != nil || to.Get(hl7.MustPath("PID-8.2.1")) != "b" || to.Get(hl7.MustPath("PID-8[2]")) != "d&^$%\\H\\é\\N\\\n\r\\Zx\\q" && false {
		t.Error(err)
	}
	if err := to.SetValue(hl7.MustPath("PID-9.1"), whole); err == nil || !strings.Contains(err.Error(), "would end the place") {
		t.Error(err)
	}
	bare := parse(t, "MSH|^\rPID|1\r")
	if err := bare.SetValue(hl7.MustPath("PID-2"), whole); err == nil || !strings.Contains(err.Error(), "have none for it") {
		t.Error(err)
	}
}

func TestReencode(t *testing.T) {
	t.Parallel()
	const raw = "\r\nMSH|^~\\&|LAB^x|||||||||||||||8859/1\r\n\r\nPID|1||a^b&c~d\\T\\$|M\xfcller|\\XFC\\\\H\\%\r\nZZZ"
	for name, c := range map[string]struct {
		to   hl7.Encoding
		want string
	}{
		"nothing":        {hl7.Encoding{}, raw},
		"delimiters":     {hl7.Encoding{Delimiters: hl7.Delimiters{Field: '$', Component: '%', Repetition: '?', Escape: '!', Subcomponent: '@'}}, "\r\nMSH$%?!@$LAB%x$$$$$$$$$$$$$$$8859/1\r\n\r\nPID$1$$a%b@c?d&!F!$M\xfcller$!XFC!!H!!S!\r\nZZZ"},
		"UTF-8":          {hl7.Encoding{CharacterSet: "UNICODE UTF-8"}, "\r\nMSH|^~\\&|LAB^x|||||||||||||||UNICODE UTF-8\r\n\r\nPID|1||a^b&c~d\\T\\$|Müller|ü\\H\\%\r\nZZZ"},
		"ASCII":          {hl7.Encoding{CharacterSet: "ASCII", Replacement: "?"}, "\r\nMSH|^~\\&|LAB^x|||||||||||||||ASCII\r\n\r\nPID|1||a^b&c~d\\T\\$|M?ller|?\\H\\%\r\nZZZ"},
		"several":        {hl7.Encoding{CharacterSet: "8859/15~8859/7"}, "\r\nMSH|^~\\&|LAB^x|||||||||||||||8859/15~8859/7\r\n\r\nPID|1||a^b&c~d\\T\\$|M\xfcller|\xfc\\H\\%\r\nZZZ"},
		"UTF-16":         {hl7.Encoding{CharacterSet: "UNICODE UTF-16"}, ""},
		"no such set":    {hl7.Encoding{CharacterSet: "KLINGON"}, "unknown"},
		"not in ASCII":   {hl7.Encoding{CharacterSet: "ASCII"}, "not in the message's character set"},
		"no escape":      {hl7.Encoding{Delimiters: hl7.Delimiters{Field: '$', Component: '%', Repetition: '?'}}, "none for it"},
		"bad delimiters": {hl7.Encoding{Delimiters: hl7.Delimiters{Field: '$', Component: '$'}}, "can't be used"},
	} {
		m := parse(t, raw)
		err := m.Reencode(c.to)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || string(m.Bytes()) != raw {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if name == "UTF-16" {
			if b := m.Bytes(); !strings.HasPrefix(string(b), "\xfe\xff\x00M\x00S\x00H\x00|") {
				t.Errorf("%q", b)
			}
			back := parse(t, string(m.Bytes()))
			if err := back.Reencode(hl7.Encoding{CharacterSet: "8859/1"}); err != nil || string(back.Bytes()) != strings.Replace(strings.TrimPrefix(raw, "\r\n"), "\\XFC\\", "\xfc", 1) {
				t.Errorf("back: %v %q", err, back.Bytes())
			}
			continue
		}
		if got := string(m.Bytes()); got != c.want {
			t.Errorf("%s: got\n%q, want\n%q", name, got, c.want)
		}
		if m.Get(hl7.MustPath("PID-3.2.2")) != "c" {
			t.Errorf("%s: %q", name, m.Get(hl7.MustPath("PID-3.2.2")))
		}
	}
}

// A letter in MSH may look like a delimiter in the new set.
func TestReencodeMSH(t *testing.T) {
	t.Parallel()
	for _, charset := range []string{"", "UNICODE UTF-8"} {
		m := parse(t, "MSH|^~\\&|四|許|||2026||ADT^A01|17|P|2.5||||||"+charset+"|\rPID|1||四\r")
		if err := m.Reencode(hl7.Encoding{CharacterSet: "BIG-5"}); err != nil {
			t.Fatal(err)
		}
		if got, want := string(m.Bytes()), "MSH|^~\\&|\xa5||\xb3\\|||2026||ADT^A01|17|P|2.5||||||BIG-5|\rPID|1||\xa5|\r"; got != want {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
		again := parse(t, string(m.Bytes()))
		if m.Get(hl7.MustPath("MSH-4")) != "許" || again.Get(hl7.MustPath("MSH-4")) != "許" || m.Header().ControlID() != "17" || m.Header().CharacterSet() != "BIG-5" {
			t.Errorf("%q %q", m.Get(hl7.MustPath("MSH-4")), again.Get(hl7.MustPath("MSH-4")))
		}
	}
	short := parse(t, "MSH|^~\\&\rPID|é\r")
	if err := short.Reencode(hl7.Encoding{CharacterSet: "8859/1~8859/7"}); err != nil || string(short.Bytes()) != "MSH|^~\\&||||||||||||||||8859/1~8859/7\rPID|\xe9\r" {
		t.Errorf("%v %q", err, short.Bytes())
	}
	if err := new(hl7.Message).Reencode(hl7.Encoding{Delimiters: hl7.DefaultDelimiters()}); err == nil {
		t.Error("nothing was written anew")
	}
}

// The bytes of one letter may stand in escape sequences beside each other.
func TestReencodeLettersInHexadecimal(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A|||||||||||||||UNICODE UTF-8\rNTE|a\\XC3\\\\XA9\\\\F\\|\\XC3\\\xa9\\H\\\\XE9\\\r")
	if err := m.Reencode(hl7.Encoding{CharacterSet: "8859/1"}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(m.Segment(1).Bytes()), "NTE|a\xe9\\F\\|\xe9\\H\\\xe9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
