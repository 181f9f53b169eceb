package receivers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A boundPort is a running workflow whose certificate comes from a table.
type boundPort struct {
	*engine.Engine
	table   *tlsconfig.Table
	address string
	logs    chan string
}

func startBound(t *testing.T, steps []engine.Step) *boundPort {
	t.Helper()
	p := &boundPort{table: &tlsconfig.Table{File: filepath.Join(t.TempDir(), "bindings.json")}, address: enginetest.FreeAddress(t), logs: make(chan string, 10_000)}
	core, _ := observer.New(zap.DebugLevel)
	log := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		select {
		case p.logs <- e.Message:
		default: // nobody waits for so many
		}
		return nil
	}))
	p.Engine = startEngine(t, log, engine.Workflow{Name: "w", Activities: steps, Receiver: &receivers.HTTP{
		Address: p.address, TLS: &tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(p.table.File)}}},
	}})
	return p
}

// logged waits until something is logged.
func (p *boundPort) logged(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case line := <-p.logs:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("%q was not logged", text)
		}
	}
}

func (p *boundPort) endpoint(host string) string {
	_, port, _ := net.SplitHostPort(p.address)
	return net.JoinHostPort(host, port)
}

// did checks what a call to the table says.
func did(t *testing.T, code tlsconfig.Code) func(tlsconfig.Outcome, error) {
	return func(o tlsconfig.Outcome, err error) {
		t.Helper()
		if o.Code != code || err != nil {
			t.Fatalf("%v: %v", o, err)
		}
	}
}

// shown returns the certificate that a client sees who calls name.
func shown(address, name string) (*x509.Certificate, error) {
	c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}).Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// A port opens with its first binding, shows what is bound, and closes with its last.
func TestBoundPort(t *testing.T) {
	t.Parallel()
	p := startBound(t, do(func(context.Context, *engine.Message) error { return nil }))
	table := p.table
	first, firstCert := certificateFor(t, "127.0.0.1")
	second, secondCert := certificateFor(t, "127.0.0.1")
	lab, labCert := certificateFor(t, "lab.example")

	if err := p.Health("w"); err == nil || !strings.Contains(err.Error(), "`ladle certificates bind -table "+p.table.File+" "+p.address+" FILE`") || p.Addr("w") != nil || p.URL("w") != "" {
		t.Errorf("%v %v %q", err, p.Addr("w"), p.URL("w"))
	}
	occupied, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatalf("nothing is bound, and the port is open: %v", err)
	}
	for range 2 {
		did(t, tlsconfig.CodeBound)(table.Bind(t.Context(), p.address, first))
		p.logged(t, "the port can't be opened")
		if err := p.Health("w"); err == nil || !strings.Contains(err.Error(), "in use by another program") {
			t.Error(err)
		}
		did(t, tlsconfig.CodeUnbound)(table.Unbind(t.Context(), p.address))
		p.logged(t, "unbound: "+p.address)
		waitFor(t, func() bool { return strings.Contains(fmt.Sprint(p.Health("w")), "no certificate is bound") })
	}
	did(t, tlsconfig.CodeBound)(table.Bind(t.Context(), p.address, first))
	p.logged(t, "the port can't be opened")
	occupied.Close()
	p.logged(t, "the port is open") // it is tried again
	if err := p.Health("w"); err != nil || p.URL("w") != "https://"+p.address+"/" {
		t.Errorf("%v %q", err, p.URL("w"))
	}
	if c, err := shown(p.address, ""); err != nil || !c.Equal(firstCert) {
		t.Errorf("%v %v", c, err)
	}

	// A replaced certificate is shown to new connections; open ones live on.
	var connections atomic.Int32
	tr := &http.Transport{DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connections.Add(1)
		return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, network, address)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	send := func() error {
		resp, err := (&http.Client{Transport: tr}).Post(p.URL("w"), "", strings.NewReader(adt))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := send(); err != nil {
		t.Fatal(err)
	}
	did(t, tlsconfig.CodeReplaced)(table.Replace(t.Context(), p.address, second))
	p.logged(t, "the certificate was renewed")
	if c, err := shown(p.address, ""); err != nil || !c.Equal(secondCert) {
		t.Errorf("%v %v", c, err)
	}
	if err := send(); err != nil || connections.Load() != 1 {
		t.Errorf("%d connections: %v", connections.Load(), err)
	}

	// A name has a certificate of its own.
	did(t, tlsconfig.CodeBound)(table.Bind(t.Context(), p.endpoint("lab.example"), lab))
	p.logged(t, "bound: lab.example:")
	for name, want := range map[string]*x509.Certificate{"LAB.example": labCert, "other.example": secondCert, "": secondCert} {
		if c, err := shown(p.address, name); err != nil || !c.Equal(want) {
			t.Errorf("%q: %v %v", name, c, err)
		}
	}
	// With the port's own gone, other names are refused, and the port stays open.
	did(t, tlsconfig.CodeUnbound)(table.Unbind(t.Context(), p.address))
	p.logged(t, "unbound: "+p.address)
	if c, err := shown(p.address, "lab.example"); err != nil || !c.Equal(labCert) {
		t.Errorf("%v %v", c, err)
	}
	for _, name := range []string{"other.example", ""} {
		if _, err := shown(p.address, name); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := send(); err != nil { // on the connection that was open; it is closed after
		t.Error(err)
	}
	if err := send(); err == nil {
		t.Error("a name that was unbound is still served")
	}

	did(t, tlsconfig.CodeUnbound)(table.Unbind(t.Context(), p.endpoint("lab.example")))
	p.logged(t, "the port is closed")
	if _, err := shown(p.address, "lab.example"); err == nil {
		t.Error("the port is still open")
	}
	other, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatalf("the port isn't free: %v", err)
	}
	other.Close()
	if err := p.Health("w"); err == nil || p.Addr("w") != nil {
		t.Errorf("%v %v", err, p.Addr("w"))
	}
	did(t, tlsconfig.CodeBound)(table.Bind(t.Context(), p.endpoint(""), first))
	p.logged(t, "the port is open")
	if c, err := shown(p.address, ""); err != nil || !c.Equal(firstCert) {
		t.Errorf("%v %v", c, err)
	}
}

// A session that was begun under a certificate isn't resumed under another, nor under
// none.
func TestBoundSessionsAreNotResumed(t *testing.T) {
	t.Parallel()
	p := startBound(t, do(func(context.Context, *engine.Message) error { return nil }))
	first, _ := certificateFor(t, "lab.example")
	second, secondCert := certificateFor(t, "lab.example")
	other, _ := certificateFor(t, "other.example")
	did(t, tlsconfig.CodeBound)(p.table.Bind(t.Context(), p.endpoint("lab.example"), first))
	did(t, tlsconfig.CodeBound)(p.table.Bind(t.Context(), p.endpoint("other.example"), other))
	p.logged(t, "bound: other.example:")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(1)
		connect := func() (tls.ConnectionState, error) {
			c, err := tls.Dial("tcp", p.address, &tls.Config{InsecureSkipVerify: true, ServerName: "lab.example", ClientSessionCache: cache, MaxVersion: version})
			if err != nil {
				return tls.ConnectionState{}, err
			}
			defer c.Close()
			if _, err := io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: lab.example\r\n\r\n"); err != nil {
				return tls.ConnectionState{}, err
			}
			_, err = c.Read(make([]byte, 1)) // brings the session, too
			return c.ConnectionState(), err
		}
		for i, resumed := range []bool{false, true} {
			if s, err := connect(); err != nil || s.DidResume != resumed {
				t.Errorf("connection %d of %s: resumed: %v, %v", i, tls.VersionName(version), s.DidResume, err)
			}
		}
		did(t, tlsconfig.CodeReplaced)(p.table.Replace(t.Context(), p.endpoint("lab.example"), second))
		p.logged(t, "the certificate was renewed")
		if s, err := connect(); err != nil || s.DidResume || !s.PeerCertificates[0].Equal(secondCert) {
			t.Errorf("%s, after a replacement: resumed: %v, %v", tls.VersionName(version), s.DidResume, err)
		}
		did(t, tlsconfig.CodeUnbound)(p.table.Unbind(t.Context(), p.endpoint("lab.example")))
		p.logged(t, "unbound: lab.example")
		if s, err := connect(); err == nil {
			t.Errorf("%s: what is unbound is served: resumed: %v", tls.VersionName(version), s.DidResume)
		}
		did(t, tlsconfig.CodeBound)(p.table.Bind(t.Context(), p.endpoint("lab.example"), first))
		p.logged(t, "bound: lab.example")
	}
}

// load sends from many connections until stop is closed, and calls answered or failed for
// each message.
func load(t *testing.T, connections int, url func() string, stop <-chan struct{}, answered func(string), failed func(error)) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr}
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if n%7 == 6 {
					tr.CloseIdleConnections() // new connections come all the time
				}
				id := fmt.Sprintf("%d-%d", i, n)
				resp, err := c.Post(url(), "", strings.NewReader(strings.Replace(adt, "|17|", "|"+id+"|", 1)))
				if err != nil {
					failed(err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				ack, ackErr := hl7.ParseAck(body)
				if err = errors.Join(err, ackErr); err != nil {
					failed(err)
				} else if ack.Code == "AA" {
					answered(ack.ControlID)
				}
			}
		})
	}
	return &wg
}

// Fifty replacements while two hundred connections send: no message fails.
func TestReplaceUnderLoad(t *testing.T) {
	t.Parallel()
	p := startBound(t, do(func(context.Context, *engine.Message) error { return nil }))
	first, _ := certificateFor(t, "127.0.0.1")
	second, _ := certificateFor(t, "127.0.0.1")
	did(t, tlsconfig.CodeBound)(p.table.Bind(t.Context(), p.address, first))
	p.logged(t, "the port is open")
	stop := make(chan struct{})
	var answered atomic.Int64
	url := "https://" + p.address + "/"
	wg := load(t, 200, func() string { return url }, stop, func(string) { answered.Add(1) }, func(err error) { t.Error(err) })
	for i := range 50 {
		c := []tlsconfig.Certificate{second, first}[i%2]
		did(t, tlsconfig.CodeReplaced)(p.table.Replace(t.Context(), p.address, c))
		p.logged(t, "the certificate was renewed")
	}
	close(stop)
	wg.Wait()
	t.Logf("%d messages", answered.Load())
	if answered.Load() < 200 {
		t.Error("too few messages to say anything")
	}
}

// Certificates are unbound and bound while connections send: every message that the
// workflow has accepted is answered.
func TestUnbindUnderLoad(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	accepted, answered := make(map[string]bool), make(map[string]bool)
	p := startBound(t, do(func(_ context.Context, m *engine.Message) error {
		msg, err := hl7.Parse(m.Body())
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		accepted[msg.Get(hl7.MustPath("MSH-10"))] = true
		return nil
	}))
	c, _ := certificateFor(t, "127.0.0.1")
	stop := make(chan struct{})
	url := "https://" + p.address + "/"
	wg := load(t, 50, func() string { return url }, stop, func(id string) {
		mu.Lock()
		defer mu.Unlock()
		answered[id] = true
	}, func(error) {}) // the port is closed now and then
	for range 10 {
		did(t, tlsconfig.CodeBound)(p.table.Bind(t.Context(), p.address, c))
		p.logged(t, "the port is open")
		mu.Lock()
		before := len(answered)
		mu.Unlock()
		waitFor(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(answered) > before+200
		})
		did(t, tlsconfig.CodeUnbound)(p.table.Unbind(t.Context(), p.address))
		p.logged(t, "the port is closed")
	}
	close(stop)
	wg.Wait()
	t.Logf("%d messages", len(answered))
	for id := range accepted {
		if !answered[id] {
			t.Errorf("%s was accepted and not answered", id)
		}
	}
}

// An engine that is stopped while a closed port finishes what it has taken lets the answers
// out.
func TestStopWhileUnbinding(t *testing.T) {
	t.Parallel()
	const messages = 50
	for _, http2 := range []bool{false, true} {
		taken, answer := make(chan struct{}, messages), make(chan struct{})
		p := startBound(t, do(func(context.Context, *engine.Message) error {
			taken <- struct{}{}
			<-answer
			return nil
		}))
		c, _ := certificateFor(t, "127.0.0.1")
		did(t, tlsconfig.CodeBound)(p.table.Bind(t.Context(), p.address, c))
		p.logged(t, "the port is open")
		url := p.URL("w")
		var senders sync.WaitGroup
		for range messages {
			senders.Go(func() {
				tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr}).Post(url, "", strings.NewReader(adt))
				if err != nil {
					t.Errorf("HTTP/2 %v: not answered: %v", http2, err)
					return
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "MSA|AA") {
					t.Errorf("HTTP/2 %v: %q %v", http2, body, err)
				}
			})
		}
		for range messages {
			<-taken
		}
		did(t, tlsconfig.CodeUnbound)(p.table.Unbind(t.Context(), p.address))
		p.logged(t, "the port is closed")
		stopped := make(chan error, 1)
		go func() { stopped <- p.Shutdown(t.Context()) }()
		waitFor(t, func() bool { return strings.Contains(fmt.Sprint(p.Health("w")), "not running") })
		close(answer)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		senders.Wait()
	}
}

// A port with a name in its address is opened by a certificate for the whole port, which is
// shown whatever a client calls.
func TestBoundHint(t *testing.T) {
	t.Parallel()
	_, port, _ := net.SplitHostPort(enginetest.FreeAddress(t))
	h := &receivers.HTTP{Address: "localhost:" + port, TLS: &tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(filepath.Join(t.TempDir(), "bindings.json"))}}}}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: h}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Health("w"); err == nil || !strings.Contains(err.Error(), "bindings.json :"+port+" FILE`") {
		t.Error(err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// waitFor looks until something is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it didn't come to be")
		}
	}
}

// Mistakes show before anything is opened.
func TestBoundMistakes(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	table := tlsconfig.TableFile(filepath.Join(t.TempDir(), "bindings.json"))
	bound := []tlsconfig.Certificate{{Bound: table}}
	file, _ := certificateFor(t, "127.0.0.1")
	for name, c := range map[string]struct {
		h    *receivers.HTTP
		text string
	}{
		"port 0":            {&receivers.HTTP{Address: "127.0.0.1:0", TLS: &tlsconfig.Server{Certificates: bound}}, "ports with a number"},
		"a listener":        {&receivers.HTTP{Listener: l, TLS: &tlsconfig.Server{Certificates: bound}}, "give an Address"},
		"and a file":        {&receivers.HTTP{Address: ":8443", TLS: &tlsconfig.Server{Certificates: append(bound, file)}}, "bind the others, too"},
		"and in one's self": {&receivers.HTTP{Address: ":8443", TLS: &tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: table, File: file.File}}}}, "leave away what else says so"},
	} {
		if _, err := engine.New([]engine.Workflow{{Name: "w", Receiver: c.h}}); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
