package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
	"github.com/ladlehq/ladle/tlsconfig"
)

func TestSend(t *testing.T) {
	t.Parallel()
	address, inbox := receiver(t, nil)
	stdout, stderr, status := callLadle(t.Context(), "send", address)
	if status != 0 || !strings.Contains(stdout, "\nMSA|AA|CNTRL-3456") || !strings.Contains(stderr, "the example ORU^R01: accepted") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if got, err := os.ReadFile(filepath.Join(inbox, "CNTRL-3456")); err != nil || !bytes.Equal(got, oru) {
		t.Errorf("%q, %v", got, err)
	}
	refusing, _ := receiver(t, engine.ErrRejected)
	stdout, stderr, status = callLadle(t.Context(), "send", refusing, "testdata/oru.hl7", "testdata/oru.hl7")
	if status != 1 || strings.Count(stdout, "MSA|AR|CNTRL-3456") != 2 || !strings.Contains(stderr, "testdata/oru.hl7: not accepted") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

// ids returns the MSH-10 of what a partner has received.
func ids(s *mllptest.Server) []string {
	var all []string
	for _, m := range s.Messages() {
		all = append(all, strings.Split(string(m.Content), "|")[9])
	}
	return all
}

// folder returns a directory with a message, a batch, a capture with frames, and what is
// none of them.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	msh := func(id string) string { return "MSH|^~\\&|A|B|C|D|1||ADT^A01|" + id + "|P|2.5\rPID|1\r" }
	for name, content := range map[string]string{
		"1.hl7":        msh("1"),
		"2/batch.hl7":  "FHS|^~\\&\rBHS|^~\\&\r" + msh("2") + msh("3") + "BTS|2\rFTS|1\r",
		"3-frames.bin": "\x0b" + msh("4") + "\x1c\r\x0b" + msh("5") + "\x1c\r",
		".hidden":      msh("9"),
		".git/object":  msh("9"),
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Files, batches and captures of a directory go out in order, and the table tells what was
// answered.
func TestSendOverMLLP(t *testing.T) {
	t.Parallel()
	s := mllptest.NewServer(t, mllptest.Answer("AA"), mllptest.Answer("AE"), mllptest.Answer("AA", mllptest.WithID("X")), mllptest.Answer("AR"))
	stdout, stderr, status := callLadle(t.Context(), "send", "-count", "2", "mllp://"+s.Address, folder(t))
	if want := []string{"1", "2", "3", "4", "5", "1", "2", "3", "4", "5"}; status != 1 || !slices.Equal(ids(s), want) {
		t.Errorf("status %d, sent %q\n%s", status, ids(s), stderr)
	}
	if n := strings.Count(stdout, "MSA|AA|"); n != 7 || strings.Count(stdout, "MSA|AE|2\n") != 1 || strings.Contains(stdout, "MSA|AA|X") {
		t.Errorf("printed\n%s", stdout)
	}
	for _, want := range []string{"batch.hl7, message 2: not accepted after", "10 messages in ", "messages  ", " 7 .*  AA\n", " 1 .*  AE\n", " 1 .*  AR\n", " 1 .*  the acknowledgement is for another message\n"} {
		if !regexp.MustCompile(want).MatchString(stderr) {
			t.Errorf("there is no %q in\n%s", want, stderr)
		}
	}
	if strings.Contains(stdout+stderr, "\x1b") {
		t.Errorf("there is no terminal\n%s%s", stdout, stderr)
	}
}

func TestSendOverTLS(t *testing.T) {
	t.Parallel()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "partner", Names: []string{"127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	s := mllptest.NewTLSServer(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pair.Certificate.Raw}, PrivateKey: pair.Key}}})
	pin := tlsconfig.SHA256(pair.Certificate).String()
	if stdout, stderr, status := callLadle(t.Context(), "send", "-pin", pin, "mllps://"+s.Address); status != 0 || !strings.Contains(stdout, "MSA|AA|CNTRL-3456") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if _, stderr, status := callLadle(t.Context(), "send", "mllps://"+s.Address); status != 1 || !strings.Contains(stderr, "partner unreachable") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

// Many messages over several connections: each is sent once, with an id of its own, and only
// the first acknowledgements are printed.
func TestSendMany(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"-connections", "4"}, {"-window", "8"}, {"-rate", "5000"}} {
		s := mllptest.NewServer(t)
		args := append(append([]string{"send", "-count", "100", "-new-ids"}, flags...), "mllp://"+s.Address)
		stdout, stderr, status := callLadle(t.Context(), args...)
		sent := ids(s)
		slices.Sort(sent)
		if status != 0 || len(sent) != 100 || len(slices.Compact(sent)) != 100 || !strings.Contains(stderr, "100 messages in ") {
			t.Errorf("%q: status %d, %d sent\n%s", flags, status, len(sent), stderr)
		}
		if n := strings.Count(stdout, "MSA|AA|"); n != firstAnswers {
			t.Errorf("%q: %d are printed", flags, n)
		}
	}
	s := mllptest.NewServer(t, mllptest.Repeat(mllptest.Answer("AE")))
	stdout, stderr, status := callLadle(t.Context(), "send", "-count", "150", "mllp://"+s.Address)
	if n := strings.Count(stdout, "MSA|AE|"); status != 1 || n != firstFailures || strings.Count(stderr, "only counted") != 1 {
		t.Errorf("status %d, %d are printed\n%s", status, n, stderr)
	}
	s = mllptest.NewServer(t)
	if stdout, _, _ := callLadle(t.Context(), "send", "-all", "-count", "30", "mllp://"+s.Address); strings.Count(stdout, "MSA|AA|") != 30 {
		t.Errorf("-all prints\n%s", stdout)
	}
}

// The end of the context is as Ctrl-C: what is under way is finished, and the status tells
// that there was more.
func TestSendInterrupted(t *testing.T) {
	t.Parallel()
	// A rate so low that the second message never comes.
	s := mllptest.NewServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.Await(1)
		cancel()
	}()
	if _, stderr, status := callLadle(ctx, "send", "-count", "2", "-rate", "0.001", "mllp://"+s.Address); status != 1 || !strings.Contains(stderr, "interrupted: not everything was sent") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestSendMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "text": "hello\n", "count": "BHS|^~\\&\rMSH|^~\\&|||||||ADT|1|P|2.5\rBTS|2\r"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mllptest.NewServer(t)
	address := "mllp://" + s.Address
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ftp://lab"}, `"ftp://lab" is no address of a partner: write for example mllp://`},
		{[]string{"mllp://lab:2575/path"}, "has more in it than MLLP knows"},
		{[]string{"mllp://user:secret@lab:2575"}, "has more in it than MLLP knows"},
		{[]string{"-pin", strings.Repeat("ab", 32), address}, "-ca, -pin and -insecure are for TLS"},
		{[]string{"-count", "0", address}, "are 1 or more"},
		{[]string{"-rate", "-1", address}, "-rate can't be negative"},
		{[]string{"-window", "2", "http://lab"}, "-release and -window are of MLLP"},
		{[]string{"-window", "2", "-release", "2", address}, "strictly synchronous"},
		{[]string{"-acknowledgement", "status", address}, "MLLP has no status"},
		{[]string{address, filepath.Join(dir, "none")}, "none"},
		{[]string{address, "-rate", "3"}, "-rate: flags stand before the address"},
		{[]string{address, filepath.Join(dir, "empty")}, "empty: no message is in it"},
		{[]string{address, filepath.Join(dir, "text")}, "text: hl7: "},
		{[]string{address, filepath.Join(dir, "count")}, "BTS-1 says that the number of messages in the batch is 2, and it is 1"},
	} {
		_, stderr, status := callLadle(t.Context(), append([]string{"send"}, c.args...)...)
		if status != 1 || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "secret") {
			t.Errorf("%q: status %d\n%s", c.args, status, stderr)
		}
	}
	if got := ids(s); !slices.Equal(got, []string{"1"}) {
		t.Errorf("sent %q", got)
	}
	// As it is, whatever it is.
	_, stderr, status := callLadle(t.Context(), "send", "-raw", "-acknowledgement", "none", address, filepath.Join(dir, "text"))
	if all := s.Await(2); status != 0 || string(all[1].Content) != "hello\n" || !strings.Contains(stderr, "unconfirmed") {
		t.Errorf("status %d, sent %v\n%s", status, all, stderr)
	}
}

func TestInColour(t *testing.T) {
	t.Parallel()
	const ack = "MSH|^~\\&|\nMSA|AE|1\nERR||PID\n\nNTE|1"
	if got := string(inColour([]byte(ack), false)); got != "MSH|^~\\&|\n\x1b[31mMSA|AE|1\x1b[0m\n\x1b[31mERR||PID\x1b[0m\n\nNTE|1" {
		t.Errorf("got %q", got)
	}
	if got := string(inColour([]byte("MSA|AA|1"), true)); got != "\x1b[32mMSA|AA|1\x1b[0m" {
		t.Errorf("got %q", got)
	}
	if isTerminal(new(bytes.Buffer)) {
		t.Error("a buffer is a terminal")
	}
}

// Progress is shown on a terminal, and makes way for other lines.
func TestReportProgress(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	r := newReport(&stdout, &stderr, false)
	r.progress = true
	for i := range 3 {
		r.add(message{name: fmt.Sprint("m", i)}, engine.Reply{Class: engine.Accepted}, nil, time.Millisecond)
		r.last = time.Time{}
	}
	r.mistake("file", errors.New("wrong"))
	r.finish()
	for _, want := range []string{"m1: accepted after 1ms\n2 sent, 0 not accepted, ", " messages/s\r\x1b[Km2: accepted", " messages/s\r\x1b[Kfile: wrong\n\n3 messages in", "3  1ms  1ms  1ms  1ms  1ms  accepted, without a code\n"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("there is no %q in %q", want, stderr.String())
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	times := make([]time.Duration, 200)
	for i := range times {
		times[i] = time.Duration(i + 1)
	}
	for percent, want := range map[int]time.Duration{0: 1, 50: 100, 90: 180, 99: 198, 100: 200} {
		if got := percentile(times, percent); got != want {
			t.Errorf("p%d is %d", percent, got)
		}
	}
	if got := percentile(times[:1], 99); got != 1 {
		t.Errorf("of one: %d", got)
	}
}
