package receivers_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const adt = "MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01^ADT_A01|17|P|2.5\rPID|1||4711\r"

// do makes an activity of f.
func do(f func(context.Context, *engine.Message) error) []engine.Step {
	return []engine.Step{{Activity: engine.ActivityFunc(f)}}
}

// start runs one workflow with h and returns the engine.
func start(t *testing.T, steps []engine.Step, hs ...*receivers.HTTP) *engine.Engine {
	t.Helper()
	e, _ := startLogged(t, steps, hs...)
	return e
}

func startLogged(t *testing.T, steps []engine.Step, hs ...*receivers.HTTP) (*engine.Engine, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	var ws []engine.Workflow
	for i, h := range hs {
		if h.Address == "" && h.Listener == nil && h.Server == nil {
			h.Address = "127.0.0.1:0"
		}
		ws = append(ws, engine.Workflow{Name: fmt.Sprintf("w%d", i), Receiver: h, Activities: steps})
	}
	return startEngine(t, zap.New(core), ws...), logs
}

// An answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
	ack    hl7.AckInfo
}

// client is one whose connections end with the test.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// exchange sends a request and wants a well-formed acknowledgement for every method
// but HEAD.
func exchange(t *testing.T, method, url string, header http.Header, body io.Reader) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if method != http.MethodHead {
		if a.ack, err = hl7.ParseAck(b); err != nil {
			t.Errorf("%s: %d %q: %v", method, a.status, b, err)
		}
	}
	return a
}

func typed(contentType string) http.Header { return http.Header{"Content-Type": {contentType}} }

func TestHTTPDelivers(t *testing.T) {
	t.Parallel()
	var got []*engine.Message
	e := start(t, do(func(_ context.Context, m *engine.Message) error { got = append(got, m); return nil }), &receivers.HTTP{Path: "/hl7"})
	url := e.URL("w0")
	if want := fmt.Sprintf("http://%v/hl7", e.Addr("w0")); url != want {
		t.Errorf("URL %q, want %q", url, want)
	}
	for _, method := range []string{"POST", "PUT"} {
		a := exchange(t, method, url, typed("application/hl7-v2; charset=utf-8"), strings.NewReader(adt))
		if a.status != 200 || a.ack.Code != "AA" || a.ack.ControlID != "17" || a.header.Get("Content-Type") != "application/hl7-v2; charset=utf-8" {
			t.Errorf("%s: %+v", method, a)
		}
	}
	// chunked, in pieces
	pr, pw := io.Pipe()
	go func() {
		for _, c := range adt {
			pw.Write([]byte(string(c)))
		}
		pw.Close()
	}()
	if a := exchange(t, "POST", url, nil, pr); a.status != 200 || a.ack.Code != "AA" {
		t.Errorf("chunked: %+v", a)
	}
	if len(got) != 3 {
		t.Fatalf("%d messages", len(got))
	}
	for _, m := range got {
		if string(m.Body()) != adt || !m.Origin.Peer.Addr().IsLoopback() || time.Since(m.Received) > time.Minute {
			t.Errorf("got %q from %v at %v", m.Body(), m.Origin.Peer, m.Received)
		}
	}
}

// Every request that brings no message is answered with an error acknowledgement, and
// no activity sees it.
func TestHTTPRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, do(func(context.Context, *engine.Message) error { t.Error("an activity saw it"); return nil }),
		&receivers.HTTP{Path: "/hl7", BodyLimit: 1000})
	url := e.URL("w0")
	for name, c := range map[string]struct {
		method string
		header http.Header
		body   io.Reader
		status int
		code   hl7.AckCode
		text   string
	}{
		"GET":                  {"GET", nil, nil, 400, "AR", "No HL7 message was received"},
		"browser":              {"GET", http.Header{"Accept": {"text/html"}}, nil, 400, "AR", "No HL7 message was received"},
		"DELETE":               {"DELETE", nil, nil, 405, "AR", "This method brings no message"},
		"empty POST":           {"POST", nil, strings.NewReader(""), 400, "AR", "No HL7 message was received"},
		"JSON":                 {"POST", typed("application/json"), strings.NewReader("{}"), 415, "AR", "content type"},
		"no type at all":       {"POST", typed("nonsense"), strings.NewReader(adt), 415, "AR", "content type"},
		"no HL7":               {"POST", typed("text/plain"), strings.NewReader("hello"), 400, "AR", ""},
		"too large":            {"POST", nil, strings.NewReader(adt + strings.Repeat("x", 1000)), 413, "AR", ""},
		"too large, in pieces": {"POST", nil, io.MultiReader(strings.NewReader(adt + strings.Repeat("x", 1000))), 413, "AR", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := exchange(t, c.method, url, c.header, c.body)
			if a.status != c.status || a.ack.Code != c.code || !strings.Contains(a.body, c.text) {
				t.Errorf("got %d %q %q", a.status, a.ack.Code, a.body)
			}
			if c.status == 405 && a.header.Get("Allow") != "POST, PUT, GET, HEAD" {
				t.Errorf("Allow: %q", a.header.Get("Allow"))
			}
			if name == "browser" && a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("type for a browser: %q", a.header.Get("Content-Type"))
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("a browser may guess the type")
			}
		})
	}
	if a := exchange(t, "HEAD", url, nil, nil); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %+v", a)
	}
	resp, err := client(t).Get(strings.Replace(url, "/hl7", "/other", 1))
	if err != nil || resp.StatusCode != 404 {
		t.Errorf("another path: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestHTTPStatusByClass(t *testing.T) {
	t.Parallel()
	outcomes := []struct {
		err           error
		code          hl7.AckCode
		usual, chosen int
	}{
		{nil, "AA", 200, 202},
		{engine.ErrFiltered, "AA", 200, 206},
		{engine.ErrRejected, "AR", 400, 422},
		{errors.New("any"), "AE", 500, 200},
		{engine.RetryAfter(engine.ErrUnavailable, 1500*time.Millisecond), "AR", 503, 429},
	}
	var next error
	steps := do(func(context.Context, *engine.Message) error { return next })
	usual := start(t, steps, &receivers.HTTP{})
	chosen := start(t, steps, &receivers.HTTP{Status: receivers.HTTPStatus{Accepted: 202, Filtered: 206, Rejected: 422, Failed: 200, Unavailable: 429}})
	for _, o := range outcomes {
		next = o.err
		for e, want := range map[*engine.Engine]int{usual: o.usual, chosen: o.chosen} {
			a := exchange(t, "POST", e.URL("w0"), nil, strings.NewReader(adt))
			if a.status != want || a.ack.Code != o.code || a.ack.ControlID != "17" {
				t.Errorf("%v: got %d %+v, want %d", o.err, a.status, a.ack, want)
			}
			if ra := a.header.Get("Retry-After"); (ra == "2") != errors.Is(o.err, engine.ErrUnavailable) {
				t.Errorf("%v: Retry-After %q", o.err, ra)
			}
		}
	}
}

func TestHTTPAuthorization(t *testing.T) {
	t.Parallel()
	e, logs := startLogged(t, nil, &receivers.HTTP{Basic: &receivers.BasicAuth{User: "his", Password: "pass:word"}, Bearer: "t0ken"})
	basic := func(user, password string) http.Header {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header
	}
	for _, c := range []struct {
		name   string
		header http.Header
		ok     bool
	}{
		{"nothing", nil, false},
		{"basic", basic("his", "pass:word"), true},
		{"wrong password", basic("his", "password"), false},
		{"wrong user", basic("her", "pass:word"), false},
		{"empty", basic("", ""), false},
		{"bearer", http.Header{"Authorization": {"Bearer t0ken"}}, true},
		{"bearer in small letters", http.Header{"Authorization": {"bearer t0ken"}}, true},
		{"wrong token", http.Header{"Authorization": {"Bearer t0ken2"}}, false},
		{"token as basic", http.Header{"Authorization": {"Basic t0ken"}}, false},
	} {
		for method, okStatus := range map[string]int{"POST": 200, "GET": 400} {
			a := exchange(t, method, e.URL("w0"), c.header, strings.NewReader(adt))
			want := 401
			if c.ok {
				want = okStatus
			}
			if a.status != want || !c.ok && len(a.header.Values("WWW-Authenticate")) != 2 {
				t.Errorf("%s %s: %d %v", method, c.name, a.status, a.header)
			}
		}
	}
	if logs.FilterMessageSnippet("clear text").Len() != 1 {
		t.Error("passwords over plain HTTP are not warned of")
	}
	for _, l := range logs.All() {
		if s := fmt.Sprint(l); strings.Contains(s, "t0ken") || strings.Contains(s, "pass:word") {
			t.Errorf("a secret in the log: %s", s)
		}
	}
}

// Receivers that name one address share its port.
func TestHTTPSharedPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &receivers.HTTPServer{Listener: l}
	var mu sync.Mutex
	seen := make(map[string]int)
	steps := do(func(context.Context, *engine.Message) error { mu.Lock(); defer mu.Unlock(); seen["any"]++; return nil })
	e := start(t, steps, &receivers.HTTP{Server: server, Path: "/a"}, &receivers.HTTP{Server: server, Path: "/b"})
	for _, w := range []string{"w0", "w1"} {
		if a := exchange(t, "POST", e.URL(w), nil, strings.NewReader(adt)); a.status != 200 {
			t.Errorf("%s: %+v", w, a)
		}
	}
	if e.Addr("w0").String() != e.Addr("w1").String() || seen["any"] != 2 {
		t.Errorf("%v, %v, %v", e.Addr("w0"), e.Addr("w1"), seen)
	}
}

func TestHTTPSameAddressIsShared(t *testing.T) {
	t.Parallel()
	// A port that was free a moment ago: if another process takes it meanwhile, Start
	// says so and the next one is tried.
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		e, err := engine.New([]engine.Workflow{
			{Name: "a", Receiver: &receivers.HTTP{Address: address, Path: "/a"}},
			{Name: "b", Receiver: &receivers.HTTP{Address: address, Path: "/b"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			continue
		}
		for _, w := range []string{"a", "b"} {
			if a := exchange(t, "POST", e.URL(w), nil, strings.NewReader(adt)); a.status != 200 {
				t.Errorf("%s: %+v", w, a)
			}
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("no port stayed free")
}

func TestHTTPMistakes(t *testing.T) {
	t.Parallel()
	h := func(f func(*receivers.HTTP)) *receivers.HTTP {
		h := &receivers.HTTP{Address: "127.0.0.1:8443"}
		f(h)
		return h
	}
	for want, hs := range map[string][]*receivers.HTTP{
		"receiver.address: missing":                                           {{}},
		`"8443" is no address to listen on`:                                   {h(func(h *receivers.HTTP) { h.Address = "8443" })},
		`"https" is no port`:                                                  {h(func(h *receivers.HTTP) { h.Address = ":https" })},
		`"99999" is no port`:                                                  {h(func(h *receivers.HTTP) { h.Address = ":99999" })},
		`path: "hl7" must begin with a slash`:                                 {h(func(h *receivers.HTTP) { h.Path = "hl7" })},
		`path: "/a?b" must be a path alone`:                                   {h(func(h *receivers.HTTP) { h.Path = "/a?b" })},
		`content-types[0]: "hl7" is no media type`:                            {h(func(h *receivers.HTTP) { h.ContentTypes = []string{"hl7"} })},
		"body-limit: a limit can't be negative":                               {h(func(h *receivers.HTTP) { h.BodyLimit = -1 })},
		"bodies-limit: 1KiB must leave room":                                  {h(func(h *receivers.HTTP) { h.BodiesLimit = engine.KiB })},
		"read-timeout: a limit can't be negative":                             {h(func(h *receivers.HTTP) { h.Limits.ReadTimeout = -1 })},
		"basic.password: missing":                                             {h(func(h *receivers.HTTP) { h.Basic = &receivers.BasicAuth{User: "u"} })},
		"basic.user: a user can't have a colon":                               {h(func(h *receivers.HTTP) { h.Basic = &receivers.BasicAuth{User: "u:v", Password: "x"} })},
		"status.failed: 99 is no status":                                      {h(func(h *receivers.HTTP) { h.Status.Failed = 99 })},
		"the receiver has a Server":                                           {h(func(h *receivers.HTTP) { h.Server = &receivers.HTTPServer{Address: ":1"} })},
		`workflow "w1": receiver.path: workflow "w0" already has the path /`:  {h(func(*receivers.HTTP) {}), h(func(*receivers.HTTP) {})},
		"receiver.address: another workflow has other limits on this address": {h(func(*receivers.HTTP) {}), h(func(h *receivers.HTTP) { h.Path, h.Limits.MaxConnections = "/b", 5 })},
		"receiver.tls: another workflow has other TLS settings":               {h(func(*receivers.HTTP) {}), h(func(h *receivers.HTTP) { h.Path, h.TLS = "/b", selfSigned(t) })},
	} {
		var ws []engine.Workflow
		for i, h := range hs {
			ws = append(ws, engine.Workflow{Name: fmt.Sprintf("w%d", i), Receiver: h})
		}
		if _, err := engine.New(ws); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// selfSigned returns TLS settings with a certificate of its own.
func selfSigned(t *testing.T) *tlsconfig.Server {
	t.Helper()
	return &tlsconfig.Server{Certificates: []tlsconfig.Certificate{{File: writePFX(t), Password: "secret"}}}
}

func TestHTTPUsedPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: &receivers.HTTP{Address: l.Addr().String()}}})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := e.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "port "+port+" is in use by another program: choose another port") {
		t.Errorf("got %v", err)
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	e := start(t, nil, &receivers.HTTP{TLS: selfSigned(t)})
	r, err := http.NewRequestWithContext(t.Context(), "POST", e.URL("w0"), strings.NewReader(adt))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Errorf("got %s %d", resp.Proto, resp.StatusCode)
	}
}

// drip opens connections that send a little and then nothing.
func drip(t *testing.T, address string, n int, begin string) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	return conns
}

// A thousand slow clients keep nobody else from being answered.
func TestHTTPDripFeedingClients(t *testing.T) {
	t.Parallel()
	e := start(t, nil, &receivers.HTTP{Limits: receivers.HTTPLimits{ReadTimeout: 20 * time.Second}})
	address := e.Addr("w0").String()
	drip(t, address, 500, "POST / HTTP/1.1\r\nHost: x\r\nContent-Le")
	drip(t, address, 500, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\nMSH|")
	began := time.Now()
	a := exchange(t, "POST", e.URL("w0"), nil, strings.NewReader(adt))
	if took := time.Since(began); a.status != 200 || took > time.Second {
		t.Errorf("%+v after %v", a, took)
	}
}

// A client that is too slow is told so and let go.
func TestHTTPReadTimeout(t *testing.T) {
	t.Parallel()
	e := start(t, nil, &receivers.HTTP{Limits: receivers.HTTPLimits{ReadHeaderTimeout: 100 * time.Millisecond, ReadTimeout: 100 * time.Millisecond}})
	for begin, want := range map[string]string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nMSH|": "408 Request Timeout",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Le":                       "",
	} {
		c := drip(t, e.Addr("w0").String(), 1, begin)[0]
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		b, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(b), want) || want != "" && !strings.Contains(string(b), "MSA|AR") {
			t.Errorf("%q: got %q, %v", begin, b, err)
		}
	}
}

func TestHTTPConnectionLimits(t *testing.T) {
	t.Parallel()
	for _, limits := range []receivers.HTTPLimits{{MaxConnections: 3, MaxConnectionsPerPeer: 100}, {MaxConnectionsPerPeer: 3}} {
		e := start(t, nil, &receivers.HTTP{Limits: limits})
		address := e.Addr("w0").String()
		conns := drip(t, address, 3, "POST / HTTP/1.1\r\nHost: x\r\n")
		over := drip(t, address, 1, "")[0]
		over.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := over.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%+v: one more is not closed: %v", limits, err)
		}
		// Room that is given back can be taken: finish the first one.
		io.WriteString(conns[0], "Connection: close\r\nContent-Length: 0\r\n\r\n")
		if _, err := io.ReadAll(conns[0]); err != nil {
			t.Error(err)
		}
		deadline := time.Now().Add(5 * time.Second)
		for {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			b, _ := io.ReadAll(c)
			c.Close()
			if strings.Contains(string(b), "200 OK") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("no room is given back")
			}
		}
	}
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// What all bodies together may take is bounded, and what is only announced takes
// nothing.
func TestHTTPBodiesLimit(t *testing.T) {
	t.Parallel()
	release, inside := make(chan struct{}), make(chan struct{})
	var entered atomic.Bool
	e := start(t, do(func(context.Context, *engine.Message) error {
		if entered.CompareAndSwap(false, true) {
			close(inside)
			<-release
		}
		return nil
	}), &receivers.HTTP{BodyLimit: 100 * engine.KiB, BodiesLimit: 300 * engine.KiB})
	large := adt + "ZZZ|" + strings.Repeat("x", 90<<10)
	drip(t, e.Addr("w0").String(), 20, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	first := make(chan answer, 1)
	go func() { first <- exchange(t, "POST", e.URL("w0"), nil, strings.NewReader(large)) }()
	<-inside
	if a := exchange(t, "POST", e.URL("w0"), nil, strings.NewReader(large)); a.status != 503 || a.ack.Code != "AR" || a.header.Get("Retry-After") == "" {
		t.Errorf("without room: %+v", a)
	}
	if a := exchange(t, "POST", e.URL("w0"), nil, strings.NewReader(adt)); a.status != 200 {
		t.Errorf("a small one: %+v", a)
	}
	close(release)
	if a := <-first; a.status != 200 {
		t.Errorf("the first: %+v", a)
	}
	if a := exchange(t, "POST", e.URL("w0"), nil, strings.NewReader(large)); a.status != 200 {
		t.Errorf("with room again: %+v", a)
	}
}

// A peer that goes away while its message runs doesn't end the run.
func TestHTTPPeerGoesAway(t *testing.T) {
	t.Parallel()
	inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	e := start(t, do(func(ctx context.Context, m *engine.Message) error {
		close(inside)
		<-release
		done <- ctx.Err()
		return nil
	}), &receivers.HTTP{})
	c := drip(t, e.Addr("w0").String(), 1, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(adt), adt))[0]
	<-inside
	c.Close()
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the run was ended: %v", err)
	}
}

// A graceful stop answers what was taken, doesn't wait for idle connections, and takes
// no more.
func TestHTTPGracefulStop(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}), make(chan struct{})
	h := &receivers.HTTP{Address: "127.0.0.1:0"}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: h, Activities: do(func(context.Context, *engine.Message) error {
		close(inside)
		<-release
		return nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := e.Addr("w").String()
	idle := drip(t, address, 1, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")[0]
	if resp, err := http.ReadResponse(bufio.NewReader(idle), &http.Request{Method: "HEAD"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	drip(t, address, 3, "")
	drip(t, address, 3, "POST / HT")
	busy := drip(t, address, 1, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(adt), adt))[0]
	<-inside
	stopped := make(chan error, 1)
	go func() { stopped <- e.Shutdown(context.Background()) }()
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(b, []byte("MSA|AA|17")) {
		t.Errorf("%q, %v", b, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the port is still open")
	}
}

// When the graceful stop runs out of time, connections are cut and the message is not
// answered positively.
func TestHTTPAbruptStop(t *testing.T) {
	t.Parallel()
	inside := make(chan struct{})
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: &receivers.HTTP{Address: "127.0.0.1:0"}, Activities: do(func(ctx context.Context, _ *engine.Message) error {
		close(inside)
		<-ctx.Done()
		return nil // as if it had succeeded
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := drip(t, e.Addr("w").String(), 1, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(adt), adt))[0]
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Shutdown(ctx); err == nil {
		t.Error("nothing was cut short")
	}
	b, _ := io.ReadAll(c)
	if bytes.Contains(b, []byte("MSA|AA")) || bytes.Contains(b, []byte("200 OK")) {
		t.Errorf("answered %q", b)
	}
}

// The contract that every receiver keeps.
func TestHTTPContract(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(*testing.T) *tlsconfig.Server{
		"HTTP":  func(*testing.T) *tlsconfig.Server { return nil },
		"HTTPS": selfSigned,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.TestReceiver(t, enginetest.ReceiverCase{
				New: func(t *testing.T) engine.Receiver {
					return &receivers.HTTP{Address: "127.0.0.1:0", TLS: server(t)}
				},
				Send: func(t *testing.T, r engine.Receiver, body []byte) error {
					resp, err := client(t).Post(r.(*receivers.HTTP).URL(), "application/hl7-v2", bytes.NewReader(body))
					if err != nil {
						return err
					}
					defer resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						return errors.New(resp.Status)
					}
					return nil
				},
				Body: []byte(adt),
			})
		})
	}
}

// A response carries one acknowledgement: the one that is asked for, or that is set.
func TestHTTPAcknowledgement(t *testing.T) {
	t.Parallel()
	enhanced := func(accept, application string) string {
		return "MSH|^~\\&|H|W|L|C|2026||ADT^A01|17|P|2.5|||" + accept + "|" + application + "\r"
	}
	later := make(chan string, 1)
	to := sender(func(_ context.Context, m *engine.Message) (engine.Reply, error) {
		later <- string(m.Body())
		return engine.Reply{Class: engine.Accepted}, nil
	})
	for name, c := range map[string]struct {
		h        *receivers.HTTP
		response engine.Response
		body     string
		want     string // the code, "" for an empty body
		later    bool
	}{
		"original":          {&receivers.HTTP{}, engine.Response{}, adt, "AA", false},
		"accept":            {&receivers.HTTP{}, engine.Response{}, enhanced("AL", "NE"), "CA", false},
		"application":       {&receivers.HTTP{}, engine.Response{}, enhanced("NE", "AL"), "AA", false},
		"both":              {&receivers.HTTP{}, engine.Response{}, enhanced("AL", "AL"), "AA", false},
		"none":              {&receivers.HTTP{}, engine.Response{}, enhanced("NE", "NE"), "", false},
		"both, apart":       {&receivers.HTTP{}, engine.Response{To: to}, enhanced("AL", "AL"), "CA", true},
		"application apart": {&receivers.HTTP{}, engine.Response{To: to}, enhanced("NE", "AL"), "", true},
		"set to accept":     {&receivers.HTTP{Acknowledgement: hl7v2.AcknowledgementAccept}, engine.Response{}, adt, "CA", false},
		"set to original":   {&receivers.HTTP{Acknowledgement: hl7v2.AcknowledgementApplication}, engine.Response{}, enhanced("AL", "NE"), "AA", false},
	} {
		c.h.Address = "127.0.0.1:0"
		e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: c.h, Response: c.response}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		resp, err := client(t).Post(e.URL("w"), "application/hl7-v2", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %v", name, resp.Status, err)
		}
		ack, err := hl7.ParseAck(body)
		if string(ack.Code) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: answered %q", name, body)
		}
		if c.later {
			if got := <-later; !strings.Contains(got, "\rMSA|AA|17\r") {
				t.Errorf("%s: later %q", name, got)
			}
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// The response is there before the application acknowledgement goes out by another way.
func TestHTTPResponseComesFirst(t *testing.T) {
	t.Parallel()
	has, sent := make(chan struct{}), make(chan error, 1)
	to := sender(func(context.Context, *engine.Message) (engine.Reply, error) {
		select {
		case <-has:
			sent <- nil
		case <-time.After(10 * time.Second):
			sent <- errors.New("there is no response")
		}
		return engine.Reply{Class: engine.Accepted}, nil
	})
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: &receivers.HTTP{Address: "127.0.0.1:0"}, Response: engine.Response{To: to}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	resp, err := client(t).Post(e.URL("w"), "application/hl7-v2", strings.NewReader("MSH|^~\\&|H|W|L|C|2026||ADT^A01|17|P|2.5|||AL|AL\r"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	close(has)
	if err != nil || !strings.Contains(string(body), "\rMSA|CA|17\r") {
		t.Errorf("%q %v", body, err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
