package receivers_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// message is a message with this control id.
func message(id string) string { return strings.Replace(adt, "|17|", "|"+id+"|", 1) }

// frame puts a standard frame around content.
func frame(content string) string { return "\x0b" + content + "\x1c\r" }

func accept(context.Context, *engine.Message) error { return nil }

// startMLLP runs one workflow with r and returns its address and what is logged.
func startMLLP(t testing.TB, r *receivers.MLLP, do func(context.Context, *engine.Message) error, response ...engine.Response) (string, *observer.ObservedLogs) {
	t.Helper()
	if r.Address == "" && r.Listener == nil {
		r.Address = "127.0.0.1:0"
	}
	core, logs := observer.New(zap.DebugLevel)
	w := engine.Workflow{Name: "w", Receiver: r, Activities: []engine.Step{{Activity: engine.ActivityFunc(do)}}}
	if len(response) > 0 {
		w.Response = response[0]
	}
	startEngine(t, zap.New(core), w)
	if r.Addr() == nil {
		return "", logs
	}
	return r.Addr().String(), logs
}

// A peer is a connection to a receiver.
type peer struct {
	net.Conn
	t      testing.TB
	reader *mllp.Reader
}

func dial(t testing.TB, address string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, c)
}

func newPeer(t testing.TB, c net.Conn) *peer {
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &peer{c, t, mllp.NewReader(c, 0)}
}

// write sends bytes as they are. The receiver may have hung up.
func (p *peer) write(raw string) { _, _ = io.WriteString(p, raw) }

// read returns the next answer as its code and the control id that it answers, "commit ..."
// for a commit block, or "closed".
func (p *peer) read() string {
	b, err := p.reader.Next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing"
	case err != nil:
		return "closed"
	}
	if c := mllp.CommitOf(b); c != mllp.NoCommit {
		return fmt.Sprintf("%02X", byte(c))
	}
	ack, err := hl7.ParseAck(b)
	if err != nil {
		p.t.Errorf("%q is no acknowledgement: %v", b, err)
	}
	return strings.TrimSpace(string(ack.Code) + " " + ack.ControlID)
}

// wants reads one answer after another.
func (p *peer) wants(answers ...string) {
	p.t.Helper()
	for i, want := range answers {
		if got := p.read(); got != want {
			p.t.Errorf("answer %d is %q, want %q", i+1, got, want)
		}
	}
}

func TestMLLPContract(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"MLLP": false, "MLLP over TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.TestReceiver(t, enginetest.ReceiverCase{
				New: func(t *testing.T) engine.Receiver {
					r := &receivers.MLLP{Address: "127.0.0.1:0"}
					if secure {
						r.TLS = &tlsconfig.Server{Certificates: []tlsconfig.Certificate{{File: writePFX(t), Password: "secret"}}}
					}
					return r
				},
				Send: func(t *testing.T, r engine.Receiver, body []byte) error {
					c := mllp.Client{Address: r.(*receivers.MLLP).Addr().String()}
					if secure {
						c.TLS = &tls.Config{InsecureSkipVerify: true}
					}
					defer c.Close()
					reply, err := c.Send(t.Context(), body)
					if err != nil {
						return err
					}
					if ack, err := hl7.ParseAck(reply); err != nil || !ack.Positive() {
						return fmt.Errorf("%q %w", reply, err)
					}
					return nil
				},
				Body: []byte(adt),
			})
		})
	}
}

// Bytes as they are met in the field, what is answered to them, and whether the same
// connection goes on.
func TestMLLPBytes(t *testing.T) {
	t.Parallel()
	a, b := frame(message("a")), frame(message("b"))
	large := message("large") + "OBX|1|TX|||" + strings.Repeat("x", 3000) + "\r"
	const closed, goesOn, halfClosed = 0, 1, 2
	var delivered atomic.Int64
	address, _ := startMLLP(t, &receivers.MLLP{MessageLimit: 2 * engine.KiB}, func(context.Context, *engine.Message) error {
		delivered.Add(1)
		return nil
	})
	for name, c := range map[string]struct {
		raw     string
		answers []string
		then    int
	}{
		// What is accepted.
		"a message":                     {a, []string{"AA a"}, goesOn},
		"two in one packet":             {a + b, []string{"AA a", "AA b"}, goesOn},
		"three in one packet":           {a + b + a, []string{"AA a", "AA b", "AA a"}, goesOn},
		"without trailer":               {strings.TrimSuffix(a, "\r"), []string{"AA a"}, goesOn},
		"without trailers, two":         {strings.TrimSuffix(a, "\r") + strings.TrimSuffix(b, "\r"), []string{"AA a", "AA b"}, goesOn},
		"trailer comes late":            {strings.TrimSuffix(a, "\r") + "\r" + b, []string{"AA a", "AA b"}, goesOn},
		"LF behind the frame":           {a + "\n", []string{"AA a"}, goesOn},
		"CRLF behind the frame":         {a + "\r\n", []string{"AA a"}, goesOn},
		"LF for the trailer":            {strings.TrimSuffix(a, "\r") + "\n", []string{"AA a"}, goesOn},
		"NUL for the trailer":           {strings.TrimSuffix(a, "\r") + "\x00", []string{"AA a"}, goesOn},
		"NULs before":                   {"\x00\x00\x00" + a, []string{"AA a"}, goesOn},
		"line ends before":              {"\r\n\r\n" + a, []string{"AA a"}, goesOn},
		"NULs between":                  {a + "\x00\x00" + b, []string{"AA a", "AA b"}, goesOn},
		"line ends between":             {a + "\n\n\r" + b, []string{"AA a", "AA b"}, goesOn},
		"two trailers":                  {a + "\r" + b, []string{"AA a", "AA b"}, goesOn},
		"LF between segments":           {frame(strings.ReplaceAll(message("a"), "\r", "\n")), []string{"AA a"}, goesOn},
		"CRLF between segments":         {frame(strings.ReplaceAll(message("a"), "\r", "\r\n")), []string{"AA a"}, goesOn},
		"blank lines between segments":  {frame(strings.ReplaceAll(message("a"), "\r", "\r\r")), []string{"AA a"}, goesOn},
		"no CR at the end":              {frame(strings.TrimSuffix(message("a"), "\r")), []string{"AA a"}, goesOn},
		"NUL inside":                    {frame(message("a") + "NTE|1||a\x00b\r"), []string{"AA a"}, goesOn},
		"bytes over 7F inside":          {frame(message("a") + "NTE|1||\xe4\xff\r"), []string{"AA a"}, goesOn},
		"XML-like inside":               {frame(message("a") + "OBX|1|ED|||<xml/>\r"), []string{"AA a"}, goesOn},
		"other delimiters":              {frame("MSH$%~\\&$HIS$WARD$LAB$CELLAR$2026$$ADT%A01$a$P$2.5\r"), []string{"AA a"}, goesOn},
		"MSH-2 of two characters":       {frame("MSH|^~|HIS|WARD|LAB|CELLAR|2026||ADT^A01|a|P|2.5\r"), []string{"AA a"}, goesOn},
		"MSH alone":                     {frame("MSH|^~\\&|HIS|WARD|LAB|CELLAR|2026||ADT^A01|a|P|2.5"), []string{"AA a"}, goesOn},
		"no control id":                 {frame("MSH|^~\\&|HIS|WARD|LAB|CELLAR|2026||ADT^A01||P|2.5\r"), []string{"AA"}, goesOn},
		"no version":                    {frame("MSH|^~\\&|HIS|WARD|LAB|CELLAR|2026||ADT^A01|a\r"), []string{"AA a"}, goesOn},
		"an unknown version":            {frame("MSH|^~\\&|HIS|WARD|LAB|CELLAR|2026||ADT^A01|a|P|9.9\r"), []string{"AA a"}, goesOn},
		"a Z segment":                   {frame(message("a") + "ZZZ|1|2\r"), []string{"AA a"}, goesOn},
		"a space in the control id":     {frame(message("a b")), []string{"AA a b"}, goesOn},
		"the largest message":           {frame(message("a") + "NTE|" + strings.Repeat("x", 2048-len(message("a"))-5) + "\r"), []string{"AA a"}, goesOn},
		"half-closed behind a message":  {a, []string{"AA a"}, halfClosed},
		"half-closed behind two":        {a + b, []string{"AA a", "AA b"}, halfClosed},
		"half-closed without trailer":   {strings.TrimSuffix(a, "\r"), []string{"AA a"}, halfClosed},
		"enhanced, both":                {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|AL\r"), []string{"CA a", "AA a"}, goesOn},
		"enhanced, both, two at once":   {strings.Repeat(frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|AL\r"), 2), []string{"CA a", "AA a", "CA a", "AA a"}, goesOn},
		"enhanced, accept alone":        {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|NE\r"), []string{"CA a"}, goesOn},
		"enhanced, application alone":   {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||NE|AL\r"), []string{"AA a"}, goesOn},
		"enhanced, none":                {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||NE|NE\r"), nil, goesOn},
		"enhanced, on success":          {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||SU|SU\r"), []string{"CA a", "AA a"}, goesOn},
		"enhanced, on error":            {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||ER|ER\r"), nil, goesOn},
		"an acknowledgement":            {frame("MSH|^~\\&|H|W|L|C|2026||ACK^A01^ACK|a|P|2.5\rMSA|AA|x\r"), nil, goesOn},
		"one that asks for CA":          {frame("MSH|^~\\&|H|W|L|C|2026||ACK^A01^ACK|a|P|2.5|||AL|NE\rMSA|AA|x\r"), []string{"CA a"}, goesOn},
		"enhanced, HL7 null":            {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||\"\"|\"\"\r"), []string{"AA a"}, goesOn},
		"commit block of a sloppy peer": {"\x0b\x06\x1c\r" + a, []string{"AA a"}, goesOn},
		"negative commit block":         {"\x0b\x15\x1c\r" + a, []string{"AA a"}, goesOn},

		// What is refused, with a reason, and the connection goes on.
		"empty frame":                     {"\x0b\x1c\r" + a, []string{"AR", "AA a"}, goesOn},
		"a line end in a frame":           {frame("\r") + a, []string{"AR", "AA a"}, goesOn},
		"no HL7":                          {frame("hello") + a, []string{"AR", "AA a"}, goesOn},
		"no MSH first":                    {frame("PID|1||4711\r") + a, []string{"AR", "AA a"}, goesOn},
		"MSH cut off":                     {frame("MSH|") + a, []string{"AA", "AA a"}, goesOn},
		"JSON":                            {frame(`{"resourceType": "Patient"}`) + a, []string{"AR", "AA a"}, goesOn},
		"XML":                             {frame("<ADT_A01/>") + a, []string{"AR", "AA a"}, goesOn},
		"bytes":                           {frame("\xff\xfe\x01\x02") + a, []string{"AR", "AA a"}, goesOn},
		"NULs in a frame":                 {frame(strings.Repeat("\x00", 100)) + a, []string{"AR", "AA a"}, goesOn},
		"start byte inside":               {"\x0b" + message("a")[:75] + "\x0b" + message("b")[75:] + "\x1c\r" + a, []string{"AR a", "AA a"}, goesOn},
		"begun anew":                      {"\x0b" + message("a")[:70] + b + a, []string{"AR a", "AA a"}, goesOn},
		"end byte inside":                 {"\x0b" + message("a")[:70] + "\x1c" + message("a")[70:] + "\x1c\r" + b, []string{"AR a", "AA b"}, goesOn},
		"no start byte":                   {message("a") + "\x1c\r" + b, []string{"AR a", "AA b"}, goesOn},
		"no start byte, and nothing else": {message("a"), []string{"AR a"}, halfClosed},
		"begun anew in the control id":    {"\x0bMSH|^~\\&|H|W|L|C|2026||ADT^A01|12" + a + a, []string{"AR", "AA a"}, goesOn},
		"end byte in the control id":      {"\x0bMSH|^~\\&|H|W|L|C|2026||ADT^A01|12\x1c3|P|2.5\r\x1c\r" + a, []string{"AR", "AA a"}, goesOn},
		"too large before the control id": {frame("MSH|^~\\&|"+strings.Repeat("x", 2048-len("MSH|^~\\&||W|L|C|2026||ADT^A01|1"))+"|W|L|C|2026||ADT^A01|12|P|2.5\r") + a, []string{"AR", "AA a"}, goesOn},
		"no start byte, MSH alone":        {"MSH|^~\\&|H|W|L|C|2026||ADT^A01|12\x1c\r" + a, []string{"AR 12", "AA a"}, goesOn},
		"no start byte, byte order mark":  {"\xef\xbb\xbf\nMSH|^~\\&|H|W|L|C|2026||ADT^A01|12|P|2.5\n\x1c\r" + a, []string{"AR 12", "AA a"}, goesOn},
		"no start byte, begun anew":       {"MSH|^~\\&|H|W|L|C|2026||ADT^A01|12" + a, []string{"AR", "AA a"}, goesOn},
		"no start byte, and broken off":   {"MSH|^~\\&|H|W|L|C|2026||ADT^A01|12", []string{"AR"}, halfClosed},
		"garbage before":                  {"garbage" + a, []string{"AR", "AA a"}, goesOn},
		"garbage between":                 {a + "garbage" + b, []string{"AA a", "AR", "AA b"}, goesOn},
		"garbage with an end byte":        {"garbage\x1c\r" + a, []string{"AR", "AA a"}, goesOn},
		"an end byte alone":               {"\x1c\r" + a, []string{"AR", "AA a"}, goesOn},
		"too large":                       {frame(large) + a, []string{"AR large", "AA a"}, goesOn},
		"too large, twice":                {frame(large) + frame(large) + a, []string{"AR large", "AR large", "AA a"}, goesOn},
		"too large, and cut off":          {"\x0b" + large, []string{"AR large"}, halfClosed},
		"too large, of nothing":           {frame(strings.Repeat("x", 5000)) + a, []string{"AR", "AA a"}, goesOn},
		"enhanced, too large":             {frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|AL\r"+strings.Repeat("x", 5000)) + a, []string{"CR a", "AA a"}, goesOn},
		"a line typed by hand":            {"hello\r\n" + a, []string{"AR", "AA a"}, goesOn},

		// What nobody could read an answer to.
		"nothing":               {"", nil, halfClosed},
		"NULs alone":            {"\x00\x00\x00", nil, halfClosed},
		"half a message":        {a[:len(a)/2], nil, halfClosed},
		"a start byte":          {"\x0b", nil, halfClosed},
		"a message and a half":  {a + b[:len(b)/2], []string{"AA a"}, halfClosed},
		"a message and an end":  {a + "\x0b", []string{"AA a"}, halfClosed},
		"TLS":                   {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", nil, closed},
		"HTTP":                  {"POST /hl7 HTTP/1.1\r\nHost: lab\r\n\r\n", nil, closed},
		"HTTP/2":                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nil, closed},
		"HTTP behind a message": {a + "GET / HTTP/1.1\r\n\r\n", []string{"AA a"}, closed},
		"TLS alert":             {"\x15\x03\x03\x00\x02\x02\x28", nil, closed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := dial(t, address)
			p.write(c.raw)
			if c.then == halfClosed {
				p.Conn.(*net.TCPConn).CloseWrite()
			}
			p.wants(c.answers...)
			if c.then == goesOn {
				p.write(frame(message("next")))
				p.wants("AA next")
				p.Conn.(*net.TCPConn).CloseWrite()
			}
			p.wants("closed")
			another := dial(t, address)
			another.write(frame(message("another")))
			another.wants("AA another")
		})
	}
}

// A message may come in any pieces.
func TestMLLPPieces(t *testing.T) {
	t.Parallel()
	address, _ := startMLLP(t, &receivers.MLLP{}, accept)
	for size := 1; size < 200; size += 13 {
		p := dial(t, address)
		if err := p.Conn.(*net.TCPConn).SetNoDelay(true); err != nil {
			t.Fatal(err)
		}
		for rest := frame(message("a")) + frame(message("b")); rest != ""; rest = rest[min(size, len(rest)):] {
			p.write(rest[:min(size, len(rest))])
		}
		p.wants("AA a", "AA b")
	}
}

func TestMLLPOutcomes(t *testing.T) {
	t.Parallel()
	outcome := map[string]error{
		"failed": errors.New("a fault"), "rejected": engine.ErrRejected, "filtered": engine.ErrFiltered, "unavailable": engine.ErrUnavailable,
		"fault": &hl7v2.Fault{Errors: []hl7.AckError{{Location: hl7.MustPath("PID-3"), Code: "101", Text: "Required field missing"}}},
	}
	address, _ := startMLLP(t, &receivers.MLLP{}, func(_ context.Context, m *engine.Message) error {
		h, err := hl7.ParseHeader(m.Body())
		if err != nil {
			return err
		}
		return outcome[h.ControlID()]
	})
	enhanced := func(id, accept, application string) string {
		return frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|" + id + "|P|2.5|||" + accept + "|" + application + "\r")
	}
	p := dial(t, address)
	for _, c := range []struct{ raw, want string }{
		{frame(message("failed")), "AE failed"},
		{frame(message("rejected")), "AR rejected"},
		{frame(message("filtered")), "AA filtered"},
		{frame(message("unavailable")), "AR unavailable"},
		{frame(message("fault")), "AE fault"},
		// An accept acknowledgement that refuses ends the matter.
		{enhanced("failed", "AL", "AL"), "CE failed"},
		{enhanced("rejected", "ER", "AL"), "CR rejected"},
		{enhanced("failed", "SU", "AL"), "AE failed"},
		{enhanced("failed", "NE", "ER"), "AE failed"},
		{enhanced("failed", "ER", "ER"), "CE failed"},
		{enhanced("failed", "NE", "NE") + frame(message("behind")), "AA behind"},
	} {
		p.write(c.raw)
		p.wants(c.want)
	}
	p.write(frame(message("fault")))
	b, err := p.reader.Next()
	if err != nil || !strings.Contains(string(b), "\rERR||PID^1^3|101^Required field missing^HL70357|E") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestMLLPAcknowledgement(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r        *receivers.MLLP
		response engine.Response
		want     []string
	}{
		{&receivers.MLLP{Acknowledgement: hl7v2.AcknowledgementApplication}, engine.Response{}, []string{"AA a"}},
		{&receivers.MLLP{Acknowledgement: hl7v2.AcknowledgementAccept}, engine.Response{}, []string{"CA a"}},
		{&receivers.MLLP{Acknowledgement: hl7v2.AcknowledgementBoth}, engine.Response{}, []string{"CA a", "AA a"}},
		{&receivers.MLLP{}, engine.Response{With: engine.With{None: true}}, nil},
		{&receivers.MLLP{Release: 2}, engine.Response{With: engine.With{None: true}}, []string{"06"}},
		{&receivers.MLLP{MessageLimit: 10}, engine.Response{With: engine.With{None: true}}, nil},
		{&receivers.MLLP{Release: 2, MessageLimit: 10}, engine.Response{With: engine.With{None: true}}, []string{"15"}},
		{&receivers.MLLP{Release: 2}, engine.Response{}, []string{"06", "AA a"}},
		{&receivers.MLLP{Release: 2, Acknowledgement: hl7v2.AcknowledgementBoth}, engine.Response{}, []string{"06", "CA a", "AA a"}},
		{&receivers.MLLP{}, engine.Response{Answers: engine.ClassAnswers{Filtered: engine.ClassAnswer{Code: "AR", Text: "not here"}}}, []string{"AA a"}},
		{&receivers.MLLP{}, engine.Response{With: engine.With{Template: "MSH|^~\\&|LADLE|||||${ReceivedDate}||ACK|1|P|2.5\nMSA|AA|?|${PID-3}"}}, []string{"AA a"}},
	} {
		address, _ := startMLLP(t, c.r, accept, c.response)
		p := dial(t, address)
		p.write(frame(message("a")))
		p.wants(c.want...)
		p.Conn.(*net.TCPConn).CloseWrite()
		p.wants("closed")
	}
	failing := func(context.Context, *engine.Message) error { return engine.ErrFiltered }
	address, _ := startMLLP(t, &receivers.MLLP{Release: 2}, failing, engine.Response{Answers: engine.ClassAnswers{Filtered: engine.ClassAnswer{Code: "AR", Text: "not here"}}})
	p := dial(t, address)
	p.write(frame(message("a")))
	p.wants("06", "AR a")
	address, _ = startMLLP(t, &receivers.MLLP{Release: 2}, func(context.Context, *engine.Message) error { return errors.New("a fault") })
	p = dial(t, address)
	p.write(frame(message("a")) + frame(message("b")))
	p.wants("15", "15") // and nothing that could be taken for the next message's
}

// The application acknowledgement of enhanced mode goes by another sender, where one is set.
func TestMLLPLaterAcknowledgement(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 1)
	to := sender(func(_ context.Context, m *engine.Message) (engine.Reply, error) {
		sent <- string(m.Body())
		return engine.Reply{Class: engine.Accepted}, nil
	})
	address, _ := startMLLP(t, &receivers.MLLP{}, accept, engine.Response{To: to})
	p := dial(t, address)
	p.write(frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|AL\r"))
	p.wants("CA a")
	later := <-sent
	if h, err := hl7.ParseHeader([]byte(later)); err != nil || string(h.Field(15)) != "AL" || string(h.Field(16)) != "NE" || !strings.Contains(later, "\rMSA|AA|a\r") {
		t.Errorf("%q %v", later, err)
	}
	p.write(frame(message("b"))) // original mode is answered where it came in
	p.wants("AA b")

	// What the receiver itself refuses is answered the same way.
	address, _ = startMLLP(t, &receivers.MLLP{MessageLimit: engine.KiB}, accept, engine.Response{To: to})
	p = dial(t, address)
	p.write(frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||NE|AL\r" + strings.Repeat("x", 2000)))
	p.write(frame(message("b")))
	if later := <-sent; !strings.Contains(later, "\rMSA|AR|a|") {
		t.Errorf("%q", later)
	}
	p.wants("AA b")

	away := sender(func(context.Context, *engine.Message) (engine.Reply, error) {
		return engine.Reply{}, engine.ErrUnreachable
	})
	address, logs := startMLLP(t, &receivers.MLLP{}, accept, engine.Response{To: away})
	p = dial(t, address)
	p.write(frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|AL\r"))
	p.wants("CA a")
	waitFor(t, func() bool {
		return logs.FilterMessage("the application acknowledgement did not reach the partner").Len() == 1
	})
}

// The accept acknowledgement is there before the application acknowledgement goes out: a
// partner may take that only then.
func TestMLLPAcceptComesFirst(t *testing.T) {
	t.Parallel()
	has, sent := make(chan struct{}), make(chan error, 1)
	to := sender(func(ctx context.Context, _ *engine.Message) (engine.Reply, error) {
		select {
		case <-has:
			sent <- nil
		case <-time.After(10 * time.Second):
			sent <- errors.New("there is no accept acknowledgement")
		}
		return engine.Reply{Class: engine.Accepted}, nil
	})
	address, _ := startMLLP(t, &receivers.MLLP{}, accept, engine.Response{To: to})
	p := dial(t, address)
	p.write(frame("MSH|^~\\&|H|W|L|C|2026||ADT^A01|a|P|2.5|||AL|AL\r") + frame(message("b")))
	p.wants("CA a")
	close(has)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	p.wants("AA b")
}

type sender func(context.Context, *engine.Message) (engine.Reply, error)

func (s sender) Send(ctx context.Context, m *engine.Message) (engine.Reply, error) { return s(ctx, m) }

func TestMLLPFraming(t *testing.T) {
	t.Parallel()
	address, _ := startMLLP(t, &receivers.MLLP{Framing: mllp.Framing{Start: 2, End: 3}}, accept)
	p := dial(t, address)
	p.reader = mllp.Framing{Start: 2, End: 3}.NewReader(p, 0)
	p.write("\x02" + message("a") + "\x03\x02" + message("b") + "\x03")
	p.wants("AA a", "AA b")
}

func TestMLLPOverTLS(t *testing.T) {
	t.Parallel()
	server, serverCert := certificateFor(t, "127.0.0.1")
	known, knownCert := certificateFor(t, "ward")
	unknown, _ := certificateFor(t, "stranger")
	var from atomic.Value
	address, logs := startMLLP(t, &receivers.MLLP{TLS: &tlsconfig.Server{
		Certificates: []tlsconfig.Certificate{server}, ClientAuth: tlsconfig.ClientRequire,
		Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(knownCert)}},
	}}, func(_ context.Context, m *engine.Message) error {
		from.Store(m.Origin.Certificate.Subject.CommonName)
		return nil
	})
	for name, c := range map[string]struct {
		own []tlsconfig.Certificate
		ok  bool
	}{"known": {[]tlsconfig.Certificate{known}, true}, "unknown": {[]tlsconfig.Certificate{unknown}, false}, "none": {nil, false}} {
		source, err := tlsconfig.Client{Certificates: c.own, Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(serverCert)}}}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client := mllp.Client{Address: address, TLS: source.ConfigFor("127.0.0.1")}
		if _, err := client.Send(t.Context(), []byte(message("a"))); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(client.Close(), source.Close()); err != nil {
			t.Error(err)
		}
	}
	if from.Load() != "ward" {
		t.Errorf("it came from %v", from.Load())
	}
	// Who doesn't speak TLS is named.
	for raw, speaks := range map[string]string{frame(message("a")): "plain MLLP", message("a"): "HL7 without MLLP framing", "GET / HTTP/1.1\r\n\r\n": "HTTP"} {
		p := dial(t, address)
		p.write(raw)
		p.wants("closed")
		waitFor(t, func() bool {
			return slices.ContainsFunc(logs.FilterMessage("the peer doesn't speak TLS, as this port does: it is disconnected").All(), func(e observer.LoggedEntry) bool {
				return e.ContextMap()["speaks"] == speaks
			})
		})
	}
}

// A plain port names who speaks something else.
func TestMLLPNamesOthers(t *testing.T) {
	t.Parallel()
	address, logs := startMLLP(t, &receivers.MLLP{}, accept)
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("TLS on a plain port")
	}
	p := dial(t, address)
	p.write("POST / HTTP/1.1\r\n\r\n")
	p.wants("closed")
	for _, speaks := range []string{"TLS", "HTTP"} {
		waitFor(t, func() bool {
			return slices.ContainsFunc(logs.FilterMessage("the peer doesn't speak MLLP, as this port does: it is disconnected").All(), func(e observer.LoggedEntry) bool {
				return e.ContextMap()["speaks"] == speaks
			})
		})
	}
}

func TestMLLPTimeLimits(t *testing.T) {
	t.Parallel()
	server, _ := certificateFor(t, "127.0.0.1")
	for name, c := range map[string]struct {
		r   *receivers.MLLP
		raw string
		log string
	}{
		"idle":                 {&receivers.MLLP{IdleTimeout: 50 * time.Millisecond}, "", "the connection was idle for too long"},
		"idle after fillers":   {&receivers.MLLP{IdleTimeout: 50 * time.Millisecond}, "\r\n\x00", "the connection was idle for too long"},
		"a message stops":      {&receivers.MLLP{ReadTimeout: 50 * time.Millisecond}, frame(adt)[:50], "a message did not arrive in time"},
		"garbage stops":        {&receivers.MLLP{ReadTimeout: 50 * time.Millisecond}, "garbage", "a message did not arrive in time"},
		"a too large one does": {&receivers.MLLP{ReadTimeout: 50 * time.Millisecond, MessageLimit: engine.KiB}, "\x0b" + strings.Repeat("x", 5000), "a message did not arrive in time"},
		"no handshake": {&receivers.MLLP{HandshakeTimeout: 50 * time.Millisecond, TLS: &tlsconfig.Server{
			Certificates: []tlsconfig.Certificate{server}}}, "", "the TLS handshake failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, logs := startMLLP(t, c.r, accept)
			p := dial(t, address)
			p.write(c.raw)
			for p.read() != "closed" { // what was refused may be answered before
			}
			waitFor(t, func() bool {
				return slices.ContainsFunc(logs.All(), func(e observer.LoggedEntry) bool { return strings.HasPrefix(e.Message, c.log) })
			})
		})
	}
	t.Run("a slow drip", func(t *testing.T) {
		t.Parallel()
		address, _ := startMLLP(t, &receivers.MLLP{ReadTimeout: 200 * time.Millisecond}, accept)
		began := time.Now()
		p := dial(t, address)
		closed := make(chan struct{})
		go func() {
			p.wants("closed")
			close(closed)
		}()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
				p.write(frame(adt)[i%50 : i%50+1][:1])
				if i == 0 {
					continue
				}
			case <-closed:
				if d := time.Since(began); d > 10*time.Second {
					t.Errorf("it was held for %v", d)
				}
				return
			}
		}
	})
}

func TestMLLPLimitsConnections(t *testing.T) {
	t.Parallel()
	address, logs := startMLLP(t, &receivers.MLLP{MaxConnections: 2, MaxConnectionsPerPeer: 2}, accept)
	a, b := dial(t, address), dial(t, address)
	for _, p := range []*peer{a, b} {
		p.write(frame(message("a")))
		p.wants("AA a")
	}
	dial(t, address).wants("closed")
	a.Close()
	waitFor(t, func() bool {
		p := dial(t, address)
		p.write(frame(message("c")))
		return p.read() == "AA c"
	})
	if logs.FilterMessage("connections are refused: the limit is reached").Len() == 0 {
		t.Error("it isn't said")
	}
	elsewhere := receivers.Network{Prefix: netip.MustParsePrefix("10.0.0.0/8")}
	address, logs = startMLLP(t, &receivers.MLLP{Peers: []receivers.Network{elsewhere}}, accept)
	dial(t, address).wants("closed")
	if logs.FilterMessageSnippet("a peer is refused").Len() != 1 {
		t.Error("it isn't said")
	}
	address, _ = startMLLP(t, &receivers.MLLP{Peers: []receivers.Network{elsewhere, {Prefix: netip.MustParsePrefix("127.0.0.0/8")}}}, accept)
	p := dial(t, address)
	p.write(frame(message("a")))
	p.wants("AA a")
}

// Large messages that find no room wait, and small ones go by.
func TestMLLPBackPressure(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	inside := make(chan string, 3)
	address, _ := startMLLP(t, &receivers.MLLP{MessageLimit: engine.MiB, MessagesLimit: engine.MiB}, func(_ context.Context, m *engine.Message) error {
		h, _ := hl7.ParseHeader(m.Body())
		inside <- h.ControlID()
		if strings.HasPrefix(h.ControlID(), "large") {
			<-release
		}
		return nil
	})
	large := func(id string) string {
		return frame(message(id) + "OBX|1|ED|||" + strings.Repeat("x", 900<<10) + "\r")
	}
	first, second, small := dial(t, address), dial(t, address), dial(t, address)
	first.write(large("large1"))
	if id := <-inside; id != "large1" {
		t.Fatal(id)
	}
	written := make(chan struct{})
	go func() {
		second.write(large("large2"))
		close(written)
	}()
	small.write(frame(message("small")))
	small.wants("AA small")
	if id := <-inside; id != "small" {
		t.Errorf("%s went in, where there is no room", id)
	}
	close(release)
	first.wants("AA large1")
	<-written
	second.wants("AA large2")
}

// A stop finishes and answers what was taken, and takes no more.
func TestMLLPStop(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}), make(chan struct{})
	r := &receivers.MLLP{Address: "127.0.0.1:0"}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: r, Activities: do(func(_ context.Context, m *engine.Message) error {
		if h, err := hl7.ParseHeader(m.Body()); err == nil && h.ControlID() == "a" {
			close(inside)
			<-release
		}
		return nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := r.Addr().String()
	busy, idle, half := dial(t, address), dial(t, address), dial(t, address)
	idle.write(frame(message("i")))
	idle.wants("AA i")
	half.write(frame(message("h")))
	half.wants("AA h")
	half.write(frame(message("half"))[:40])
	busy.write(frame(message("a")) + frame(message("not taken")))
	<-inside
	stopped := make(chan error, 1)
	go func() { stopped <- e.Shutdown(context.Background()) }()
	idle.wants("closed")
	half.write(frame(message("half"))[40:]) // what has begun is let in
	half.wants("AA half", "closed")
	close(release)
	busy.wants("AA a", "closed")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A port whose certificate is unbound finishes what it has taken, and opens again.
func TestMLLPBound(t *testing.T) {
	t.Parallel()
	table := &tlsconfig.Table{File: filepath.Join(t.TempDir(), "bindings.json")}
	address := enginetest.FreeAddress(t)
	c, cert := certificateFor(t, "127.0.0.1")
	inside, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := &receivers.MLLP{Address: address, TLS: &tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(table.File)}}}}
	_, logs := startMLLP(t, r, func(context.Context, *engine.Message) error {
		once.Do(func() { close(inside); <-release })
		return nil
	})
	logged := func(text string, n int) {
		t.Helper()
		waitFor(t, func() bool { return logs.FilterMessageSnippet(text).Len() >= n })
	}
	if err := r.Health(); err == nil || r.URL() != "" {
		t.Errorf("%v %q", err, r.URL())
	}
	did(t, tlsconfig.CodeBound)(table.Bind(t.Context(), address, c))
	logged("the port is open", 1)
	if got, err := shown(address, ""); err != nil || !got.Equal(cert) || r.URL() != "mllps://"+address || r.Health() != nil {
		t.Errorf("%v %q %v", err, r.URL(), r.Health())
	}
	connect := func() *peer {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return newPeer(t, conn)
	}
	busy, idle := connect(), connect()
	busy.write(frame(message("a")))
	<-inside
	did(t, tlsconfig.CodeUnbound)(table.Unbind(t.Context(), address))
	logged("the port is closed", 1)
	idle.wants("closed")
	if l, err := net.Listen("tcp", address); err != nil {
		t.Errorf("the port isn't free: %v", err)
	} else {
		l.Close()
	}
	close(release)
	busy.wants("AA a", "closed")
	did(t, tlsconfig.CodeBound)(table.Bind(t.Context(), address, c))
	logged("the port is open", 2)
	again := connect()
	again.write(frame(message("b")))
	again.wants("AA b")
}

// Mistakes show before anything is opened.
func TestMLLPMistakes(t *testing.T) {
	t.Parallel()
	for text, r := range map[string]*receivers.MLLP{
		"address: missing":          {},
		"is no address":             {Address: "2575"},
		"release: there is no":      {Address: ":2575", Release: 3},
		"negative":                  {Address: ":2575", IdleTimeout: -1},
		"must leave room":           {Address: ":2575", MessageLimit: engine.MiB, MessagesLimit: engine.KiB},
		"framing: mllp: end byte":   {Address: ":2575", Framing: mllp.Framing{Start: 2, End: '\r'}},
		"can have here":             {Address: ":2575", MessageLimit: 3 * engine.GiB},
		"acknowledgement 7 is none": {Address: ":2575", Acknowledgement: 7},
	} {
		if _, err := engine.New([]engine.Workflow{{Name: "w", Receiver: r}}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, other := range []engine.Receiver{&receivers.MLLP{Address: "0.0.0.0:2575"}, &receivers.HTTP{Address: ":2575"}} {
		if _, err := engine.New([]engine.Workflow{{Name: "a", Receiver: &receivers.MLLP{Address: ":2575"}}, {Name: "b", Receiver: other}}); err == nil || !strings.Contains(err.Error(), "address: ") {
			t.Errorf("one port for two: %v", err)
		}
	}
}

// A partner that misbehaves in every way at once holds nothing up for the others.
func TestMLLPFlood(t *testing.T) {
	t.Parallel()
	address, _ := startMLLP(t, &receivers.MLLP{MessageLimit: 64 * engine.KiB}, accept)
	var wg sync.WaitGroup
	for _, step := range []mllptest.Step{
		mllptest.Flood([]byte("garbage\x0b")...), mllptest.Flood([]byte(frame(message("a")))...), mllptest.Flood(0), mllptest.Flood(0x0b, 0x1c), mllptest.Huge(1 << 30),
	} {
		c, err := mllptest.Dial(t.Context(), address, nil)
		if err != nil {
			t.Fatal(err)
		}
		stop := context.AfterFunc(t.Context(), func() { c.Close() })
		wg.Go(func() {
			defer stop()
			_ = c.Run(step)
		})
	}
	for i := range 50 {
		p := dial(t, address)
		p.write(frame(message(fmt.Sprint(i))))
		p.wants(fmt.Sprintf("AA %d", i))
		p.Close()
	}
	t.Cleanup(wg.Wait)
}

// Want of descriptors is no reason to give up, nor is a connection that the network has
// failed.
func TestListenerGoesOn(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENOBUFS, syscall.EPROTO, syscall.EHOSTUNREACH} {
		for name, newReceiver := range map[string]func(net.Listener) engine.Receiver{
			"MLLP": func(l net.Listener) engine.Receiver { return &receivers.MLLP{Listener: l} },
			"HTTP": func(l net.Listener) engine.Receiver {
				return &receivers.HTTP{Server: &receivers.HTTPServer{Listener: l}}
			},
		} {
			t.Run(fmt.Sprintf("%s, %v", name, errno), func(t *testing.T) {
				t.Parallel()
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				core, logs := observer.New(zap.DebugLevel)
				r := newReceiver(&poorListener{Listener: l, failures: 3, errno: errno})
				e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: r}}, engine.WithLogger(zap.New(core)))
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				if name == "MLLP" {
					p := dial(t, l.Addr().String())
					p.write(frame(message("a")))
					p.wants("AA a")
				} else if resp, err := client(t).Post(e.URL("w"), "", strings.NewReader(adt)); err != nil {
					t.Error(err)
				} else {
					resp.Body.Close()
				}
				if n := logs.FilterMessageSnippet("a connection can't be taken").Len(); n != 1 {
					t.Errorf("it is said %d times", n)
				}
				if err := e.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A poorListener fails to accept some times.
type poorListener struct {
	net.Listener
	failures int
	errno    syscall.Errno
}

func (l *poorListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", l.errno)}
	}
	return l.Listener.Accept()
}

// A large message that waits for room doesn't hold up a stop, and isn't blamed on the peer.
func TestMLLPStopWithoutRoom(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}), make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counting := &countingListener{Listener: l}
	core, logs := observer.New(zap.DebugLevel)
	r := &receivers.MLLP{Listener: counting, MessageLimit: engine.MiB, MessagesLimit: engine.MiB}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: r, Activities: do(func(context.Context, *engine.Message) error {
		close(inside)
		<-release
		return nil
	})}}, engine.WithLogger(zap.New(core)))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	large := frame(message("a") + "OBX|1|ED|||" + strings.Repeat("x", 900<<10) + "\r")
	first, second := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	first.write(large)
	<-inside
	before := counting.n.Load()
	go second.write(large)
	waitFor(t, func() bool { return counting.n.Load() > before+128<<10 })
	stopped := make(chan error, 1)
	go func() { stopped <- e.Shutdown(context.Background()) }()
	second.wants("closed")
	close(release)
	first.wants("AA a", "closed")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if logs.FilterMessageSnippet("raise read-timeout").Len() > 0 {
		t.Error("the peer is said to be slow")
	}
}

// A countingListener counts the bytes that are read from its connections.
type countingListener struct {
	net.Listener
	n atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c, &l.n}, nil
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}
