package engine_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
)

// words is a format whose paths are the places of words: "1" is the first.
type words struct{ engine.Raw }

type word int

func (words) Compile(path string) (engine.Getter, error) {
	var n word
	if _, err := fmt.Sscanf(path, "%d", &n); err != nil {
		return nil, errors.New("no number of a word")
	}
	return n, nil
}

func (w word) Value(m *engine.Message) (string, error) {
	all := strings.Fields(string(m.Body()))
	if string(m.Body()) == "unreadable" {
		return "", errors.New("unreadable")
	}
	if int(w) > len(all) {
		return "", nil
	}
	return all[w-1], nil
}

func (w word) Values(m *engine.Message) ([]string, error) {
	v, err := w.Value(m)
	return []string{v}, err
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	env := engine.Env{Workflow: "Receive", Format: words{}}
	m := engine.NewMessage([]byte("one two/2"))
	m.Received = time.Date(2026, time.March, 5, 14, 7, 9, 123456789, time.FixedZone("", 3600))
	m.Origin.Peer = netip.MustParseAddrPort("[::ffff:10.0.0.7]:1234")
	m.Origin.Certificate = &x509.Certificate{Raw: []byte("certificate"), Subject: pkix.Name{CommonName: "ward", Organization: []string{"Hospital"}}}
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"${1}", "one"},
		{"a ${1} b ${2} c", "a one b two/2 c"},
		{"${9}", ""},
		{"$1 $$ ${1}$", "$1 $$ one$"},
		{"$${1}", "${1}"},
		{"${MessageID}", m.ID.String()},
		{"${WorkflowName}", "Receive"},
		{"${PeerAddress}", "10.0.0.7"},
		{"${PeerName} ${PeerSubject}", "ward CN=ward,O=Hospital"},
		{"${PeerThumbprint}", "03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72"},
		{"${ReceivedDate}", "20260305140709"},
		{"${ReceivedDate:yyyyMMdd}", "20260305"},
	} {
		tmpl, err := engine.CompileTemplate(env, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got, err := tmpl.Render(m, nil); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	tmpl, err := engine.CompileTemplate(env, "a/${2}")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := tmpl.Render(m, func(s string) string { return strings.ReplaceAll(s, "/", "_") }); got != "a/two_2" {
		t.Errorf("cleaned: %q", got)
	}
	if _, err := tmpl.Render(engine.NewMessage([]byte("unreadable")), nil); err == nil {
		t.Error("a value that can't be read is no error")
	}
}

func TestTemplateMistakes(t *testing.T) {
	t.Parallel()
	env := engine.Env{Format: words{}}
	for text, want := range map[string]string{
		"${1":                        "${1 has no closing brace",
		"${}":                        "name a path or a variable",
		"${x}":                       "no number of a word",
		"${x} and ${y}":              "${y}: no number of a word",
		"${RecievedDate}":            `did you mean "ReceivedDate"?`,
		"${1:yyyy}":                  "takes no pattern",
		"${env:HOME}":                "is read when a workflow file is loaded",
		"${ReceivedDate:}":           "the pattern is empty",
		"${ReceivedDate:YYYY}":       "write yyyy",
		"${ReceivedDate:yyyyDD}":     "write dd",
		"${ReceivedDate:yyyymmdd}":   "write MM for the month",
		"${ReceivedDate:HHz}":        "write zzz or XXX",
		"${ReceivedDate:yyyyTHH}":    `"T" means nothing here: put text between single quotes`,
		"${ReceivedDate:yyyy'T}":     "a quote is not closed",
		"${ReceivedDate:SSSSSSSSSS}": "means nothing here",
	} {
		_, err := engine.CompileTemplate(env, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// The patterns as Java's DateTimeFormatter and .NET's custom formats write them.
func TestDatePatterns(t *testing.T) {
	t.Parallel()
	m := engine.NewMessage(nil)
	m.Received = time.Date(2026, time.March, 5, 4, 7, 9, 123456789, time.FixedZone("", -(3*3600+1800)))
	for pattern, want := range map[string]string{
		"yyyy-MM-dd":               "2026-03-05",
		"yy/M/d":                   "26/3/5",
		"dd.MM.yyyy HH:mm:ss":      "05.03.2026 04:07:09",
		"H h hh a":                 "4 4 04 AM",
		"h:mm tt":                  "4:07 AM",
		"yyyyMMddHHmmssSSS":        "20260305040709123",
		"ss.fff":                   "09.123",
		"ss.SSSSSS":                "09.123456",
		"EEE, dd MMM yyyy":         "Thu, 05 Mar 2026",
		"dddd d MMMM":              "Thursday 5 March",
		"yyyy-MM-dd'T'HH:mm:sszzz": "2026-03-05T04:07:09-03:30",
		"HHXXX Z":                  "04-03:30 -0330",
		"yyyy 'o''clock' HH":       "2026 o'clock 04",
		"yyyyDDD":                  "2026064",
		"m H":                      "7 4",
	} {
		tmpl, err := engine.CompileTemplate(engine.Env{Format: engine.Raw{}}, "${ReceivedDate:"+pattern+"}")
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got, _ := tmpl.Render(m, nil); got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}
