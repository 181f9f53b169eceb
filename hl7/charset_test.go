package hl7_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/ladlehq/ladle/hl7"
)

func TestCharacterSets(t *testing.T) {
	t.Parallel()
	for charset, bytes := range map[string]string{
		"8859/1": "\xe9", "ISO-8859-15": "\xe9", "UNICODE UTF-8": "é", "": "é", "ASCII": "é", "WINDOWS-1252": "\xe9",
	} {
		m := parse(t, "MSH|^~\\&|A|||||||||||||||"+charset+"\rPID|"+bytes+"|x\\E\\"+bytes+"\r")
		if a, b := m.Get(hl7.MustPath("PID-1")), m.Get(hl7.MustPath("PID-2")); a != "é" || b != "x\\é" {
			t.Errorf("%s: %q %q", charset, a, b)
		}
	}
	m := parse(t, "MSH|^~\\&|A\rPID|\xe9\r")
	if got := m.Get(hl7.MustPath("PID-1")); got != "é" {
		t.Errorf("bytes that are no UTF-8: %q", got)
	}
	if m.SetCharacterSet("klingon") || !m.SetCharacterSet("8859/5") {
		t.Error("SetCharacterSet")
	}
	if got := m.Get(hl7.MustPath("PID-1")); got != "щ" {
		t.Errorf("overridden: %q", got)
	}
}

// header is the beginning of a message in a character set.
func header(charset string) string { return "MSH|^~\\&|A|||||||||||||||" + charset + "\r" }

// Every set of table 0211 that there is, and those of the field, read and written.
func TestEveryCharacterSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ charset, bytes, text string }{
		{"8859/1", "\xe9\xfc", "éü"},
		{"8859/2", "\xb3\xf3d\xbc", "łódź"},
		{"8859/3", "\xb6", "ĥ"},
		{"8859/4", "\xba", "ē"},
		{"8859/5", "\xd9\xb8", "йИ"},
		{"8859/6", "\xe5\xd1", "مر"},
		{"8859/7", "\xe1\xec", "αμ"},
		{"8859/8", "\xf9\xec", "של"},
		{"8859/9", "\xfe\xf0", "şğ"},
		{"8859/10", "\xbf", "ŋ"},
		{"8859/11", "\xa1\xd2", "กา"},
		{"8859/13", "\xe0", "ą"},
		{"8859/14", "\xf0", "ŵ"},
		{"8859/15", "\xa4", "€"},
		{"ISO8859-15", "\xa4", "€"},
		{"8859/16", "\xfe", "ț"},
		{"windows-1250", "\x9c", "ś"},
		{"WINDOWS-1251", "\xe6", "ж"},
		{"cp1252", "\x80", "€"},
		{"windows-1253", "\xe1", "α"},
		{"windows-1254", "\xfe", "ş"},
		{"windows-1255", "\xf9", "ש"},
		{"windows-1256", "\xe3", "م"},
		{"windows-1257", "\xe0", "ą"},
		{"windows-1258", "\xd0", "Đ"},
		{"windows-874", "\xa1", "ก"},
		{"cp437", "\x81", "ü"},
		{"cp850", "\x81", "ü"},
		{"cp866", "\xa6", "ж"},
		{"KOI8-R", "\xd6", "ж"},
		{"UNICODE UTF-8", "\xe6\xbc\xa2", "漢"},
		{"UNICODE", "é", "é"},
		{"BIG-5", "\xb3\x5c\xa5\x7c\xa8\x7e\xbb\x5e", "許四芒蓀"},
		{"GB 18030-2000", "\x8a\x5e\x84\x7c\x81\x7e\x81\x5c\xa8\xa6\x81\x39\xef\x30", "奮剕亊乗é㐁"},
		{"GBK", "\x8f\x7c\xc4\xe3", "弢你"},
		{"Shift_JIS", "\x83\x5c\x95\x5c\x83\x7e\x8d\x7c\xb1", "ソ表ミ鋼ｱ"},
		{"ISO IR14", "\xb1\xc0", "ｱﾀ"},
		{"EUC-JP", "\xb4\xc1\xbb\xfa", "漢字"},
		{"KS X 1001", "\xb1\xe8\xc8\xf1", "김희"},
		{"windows-949", "\xb1\xe8\x8c\x63", "김똠"},
		{"~ISO IR87", "\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田^太郎"},
		{"ISO IR87", "\x1b$B;3ED\x1b(B", "山田"},
		{"~ISO IR87~ISO IR159", "\x1b$(D0!0\"\x1b(B", "丂丄"},
		{"ISO IR14~ISO IR87", "\xd4\xcf\xc0\xde^\x1b$B;3ED\x1b(B", "ﾔﾏﾀﾞ^山田"},
		{"~ISO IR14~ISO IR87", "\x1b(I1\x1b(B", "ｱ"},
		{"8859/1~8859/7", "\xe9\x1b-F\xe1\x1b-A\xe9", "éαé"},
		{"8859/1~8859/5", "\x1b-L\xd9\xda\x1b-A", "йк"},
		{"~KS X 1001", "\x1b$)C\xb1\xe8", "김"},
	} {
		raw := header(c.charset) + "PID|1||4711||" + c.bytes + "|x|" + c.bytes + "\rNTE|1\r"
		m := parse(t, raw)
		for path, want := range map[string]string{"PID-5": c.text, "PID-6": "x", "PID-7": c.text, "NTE-1": "1"} {
			if got := m.Get(hl7.MustPath(path)); got != want {
				t.Errorf("%s: %s is %q, want %q", c.charset, path, got, want)
			}
		}
		if strings.ContainsAny(c.text, "^\ufffd") {
			continue
		}
		if err := m.Set(hl7.MustPath("PID-5"), c.text); err != nil {
			t.Errorf("%s: %v", c.charset, err)
		}
		if got := string(m.Bytes()); got != raw {
			t.Errorf("%s: written\n%q, want\n%q", c.charset, got, raw)
		}
	}
}

// The last bytes of letters look like delimiters, in MSH too, where the character set
// can only be known from a field behind them.
func TestTrailBytesAreNoDelimiters(t *testing.T) {
	t.Parallel()
	for charset, letters := range map[string][]string{
		"BIG-5":         {"\xb3\x5c", "\xa5\x7c", "\xbb\x5e", "\xa8\x7e", "\xa1\x5c\xa1\x7c"},
		"GB 18030-2000": {"\x81\x5c", "\x84\x7c", "\x8a\x5e", "\x81\x7e"},
		"Shift_JIS":     {"\x83\x5c", "\x8d\x7c", "\x8b\x5e", "\x83\x7e"},
		"~ISO IR87":     {"\x1b$B!|\x1b(B", "\x1b$B~|^^&&\\\\\x1b(B"},
	} {
		for _, l := range letters {
			raw := "MSH|^~\\&|" + l + "^" + l + "|" + l + "|||2026||ADT^A01|17|P|2.5||||||" + charset + "|\rPID|1||" + l + "^" + l + "&" + l + "~" + l + "||" + l + "\\F\\" + l + "|\r"
			m := parse(t, raw)
			if got := m.Header().ControlID(); got != "17" {
				t.Errorf("%s %q: MSH-10 is %q", charset, l, got)
			}
			letter := m.Get(hl7.MustPath("MSH-4"))
			for path, want := range map[string]string{"MSH-3.2": letter, "MSH-10": "17", "PID-3.2.1": letter, "PID-3.2.2": letter, "PID-3[2]": letter, "PID-5": letter + "|" + letter, "PID-6": ""} {
				if got := m.Get(hl7.MustPath(path)); got != want {
					t.Errorf("%s %q: %s is %q, want %q", charset, l, path, got, want)
				}
			}
			if m.Lookup(hl7.MustPath("PID-7")); string(m.Bytes()) != raw {
				t.Errorf("%s %q changed", charset, l)
			}
			if err := m.Set(hl7.MustPath("PID-3.2.1"), "x"); err != nil {
				t.Error(err)
			}
			if got, want := string(m.Bytes()), strings.Replace(raw, "^"+l+"&", "^x&", 1); got != want {
				t.Errorf("%s %q: edited\n%q, want\n%q", charset, l, got, want)
			}
			ack := string(m.Header().AppendAck(nil, hl7.Ack{Code: "AA", Time: noon, ControlID: "X", Text: "漢|"}))
			if !strings.HasPrefix(ack, "MSH|^~\\&|||"+l+"^"+l+"|"+l+"|") || !strings.Contains(ack, "||||||"+charset+"\rMSA|AA|17|") {
				t.Errorf("%s %q: acknowledged by %q", charset, l, ack)
			}
			if info, err := hl7.ParseAck([]byte(ack)); err != nil || info.Text != "漢|" {
				t.Errorf("%s %q: %+v %v", charset, l, info, err)
			}
		}
	}
}

func TestWideCharacterSets(t *testing.T) {
	t.Parallel()
	text := "MSH|^~\\&|A|||||||||||||||UNICODE UTF-16\r\nPID|1||漢𝄞^ü|\r\n"
	for name, e := range map[string]encoding.Encoding{
		"UTF-16LE with a mark": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		"UTF-16BE with a mark": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		"UTF-16LE":             unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
		"UTF-16BE":             unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
		"UTF-32LE with a mark": utf32.UTF32(utf32.LittleEndian, utf32.UseBOM),
		"UTF-32BE":             utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
	} {
		encode := func(s string) string {
			out, err := e.NewEncoder().String(s)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		raw := encode(text)
		m := parse(t, raw)
		if a, b := m.Get(hl7.MustPath("PID-3.1")), m.Get(hl7.MustPath("PID-3.2")); a != "漢𝄞" || b != "ü" || string(m.Bytes()) != raw {
			t.Errorf("%s: %q %q", name, a, b)
		}
		if err := m.Set(hl7.MustPath("PID-3.2"), "€"); err != nil {
			t.Error(err)
		}
		if got, want := string(m.Bytes()), encode(strings.Replace(text, "ü", "€", 1)); got != want {
			t.Errorf("%s: edited\n%q, want\n%q", name, got, want)
		}
		ack := m.Header().AppendAck([]byte("before"), hl7.Ack{Code: "AA", Text: "ü"})
		if info, err := hl7.ParseAck(ack[6:]); err != nil || info.Text != "ü" {
			t.Errorf("%s: %+v %v", name, info, err)
		}
		h, err := hl7.ParseHeader([]byte(raw))
		if err != nil || h.CharacterSet() != "UNICODE UTF-16" {
			t.Errorf("%s: %v", name, err)
		}
		for _, cut := range []int{1, 3} {
			if _, err := hl7.Parse([]byte(raw[:len(raw)-cut])); err == nil {
				t.Errorf("%s: half a character is taken", name)
			}
		}
	}
	lone := "\xff\xfeM\x00S\x00H\x00|\x00^\x00|\x00\x3d\xd8|\x00"
	m := parse(t, lone)
	if err := m.Set(hl7.MustPath("MSH-4"), "x"); err != nil || string(m.Bytes()) != lone+"x\x00" {
		t.Errorf("half a pair: %v %q", err, m.Bytes())
	}
}

// Half of a surrogate pair spoils itself and not what stands around it, and goes nowhere else.
func TestHalfSurrogates(t *testing.T) {
	t.Parallel()
	half := "\xff\xfe"
	for _, u := range []uint16{'M', 'S', 'H', '|', '^', '|', 0x6f22, 0xd83d, 'x', 0xe9, '|'} {
		half += string([]byte{byte(u), byte(u >> 8)})
	}
	m := parse(t, half)
	if got := m.Get(hl7.MustPath("MSH-3")); got != "漢\ufffdxé" {
		t.Errorf("%q", got)
	}
	v, _ := m.Lookup(hl7.MustPath("MSH-3"))
	to := parse(t, "MSH|^~\\&|A\rPID|1\r")
	if err := to.SetValue(hl7.MustPath("PID-3"), v); err != nil || to.Get(hl7.MustPath("PID-3")) != "漢\ufffdxé" {
		t.Errorf("%v %q", err, to.Bytes())
	}
	if err := m.Reencode(hl7.Encoding{CharacterSet: "UNICODE UTF-8"}); err != nil || m.Get(hl7.MustPath("MSH-3")) != "漢\ufffdxé" {
		t.Errorf("%v %q", err, m.Bytes())
	}
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	m := parse(t, header("8859/1")+"PID|1\r")
	name := hl7.MustPath("PID-5")
	if err := m.Set(name, "Łukasz é"); err == nil || !strings.Contains(err.Error(), "not in the message's character set") {
		t.Error(err)
	}
	m.SetReplacement("?")
	if err := m.Set(name, "Łukasz é"); err != nil || m.Get(name) != "?ukasz é" {
		t.Error(err, m.Get(name))
	}
	m.SetReplacement("Ł")
	if err := m.Set(name, "Ł"); err == nil || !strings.Contains(err.Error(), "the replacement itself") {
		t.Error(err)
	}
	for _, charset := range []string{"ASCII", "~ISO IR87", "KLINGON"} {
		m := parse(t, header(charset)+"PID|1\r")
		if err := m.Set(name, "é"); err == nil {
			t.Errorf("%s: é is written as %q", charset, m.Bytes())
		}
		if err := m.Set(name, "e"); err != nil {
			t.Errorf("%s: %v", charset, err)
		}
	}
}

// What is set under one MSH-18 is read by it, also when that has just been set.
func TestSettingTheCharacterSet(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A\rPID|\xb3\x5c\r")
	if got := m.Get(hl7.MustPath("PID-1")); got != "³\\" {
		t.Errorf("undeclared: %q", got)
	}
	if err := m.Set(hl7.MustPath("MSH-18"), "BIG-5"); err != nil {
		t.Fatal(err)
	}
	if got := m.Get(hl7.MustPath("PID-1")); got != "許" {
		t.Errorf("declared: %q", got)
	}
}

// Whatever is set is there again, in every set that holds it, and nothing else has
// changed; and no bytes of a value reach behind its segment.
func FuzzCharset(f *testing.F) {
	for _, name := range []string{"", "8859/1", "BIG-5", "GB 18030-2000", "Shift_JIS", "~ISO IR87", "~ISO IR87~ISO IR159~ISO IR14", "8859/1~8859/7~8859/5", "KS X 1001", "~KS X 1001", "ISO IR14~ISO IR87", "UNICODE UTF-8", "windows-1252"} {
		f.Add(name, "許功蓋|^~\\&\x1b$B山田αé", "\x1b$B;3\x1b(B\\M2442\\;3")
		f.Add(name, "山田", "\x81|\xfe\\\x1b-F\xe1")
	}
	f.Fuzz(func(t *testing.T, charset, text, raw string) {
		if strings.ContainsAny(charset, "|\r\n") {
			return
		}
		const end = "\rNTE|last\r"
		m, err := hl7.Parse([]byte(header(charset) + "PID|1||3|4|5\rZZZ|" + raw + end))
		if err != nil {
			return
		}
		value, rest := hl7.MustPath("ZZZ-1"), hl7.MustPath("NTE[last]-1")
		before := m.Get(value)
		for _, path := range []string{"ZZZ-1.1.1", "ZZZ-1[2]", "ZZZ-2"} {
			m.Get(hl7.MustPath(path))
		}
		path := hl7.MustPath("PID-3")
		if m.Set(path, text) != nil {
			return
		}
		again, err := hl7.Parse(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Get(path); got != text {
			t.Fatalf("%s: set %q, got %q", charset, text, got)
		}
		if got := again.Get(value); got != before {
			t.Fatalf("%s: another value was %q and is %q", charset, before, got)
		}
		if got := again.Get(rest); got != "last" {
			t.Fatalf("%s: the last segment is %q", charset, got)
		}
		if got := again.Get(hl7.MustPath("PID-5")); got != "5" {
			t.Fatalf("%s: PID-5 is %q", charset, got)
		}
	})
}
