package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/tlsconfig"
)

// serving lets handle talk to everybody who connects, until the test ends.
func serving(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// overTLS answers as an echo does.
func overTLS(config *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, config)
		io.Copy(s, s)
		s.Close()
	}
}

// tlsAlone answers as overTLS does, and to plain HTTP as the servers of Go do.
func tlsAlone(config *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, config)
		if _, plain := errors.AsType[tls.RecordHeaderError](s.Handshake()); plain {
			io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	ca := issue(t, "authority", nil, authority)
	good := issue(t, "good", &ca, func(c *x509.Certificate) { c.DNSNames = []string{"lab.example"} })
	old := issue(t, "old", &ca, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter, c.DNSNames = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0), []string{"lab.example"}
	})
	soon := issue(t, "soon", &ca, func(c *x509.Certificate) {
		c.NotAfter, c.DNSNames = time.Now().AddDate(0, 0, 10), []string{"lab.example"}
	})
	caFile := file(t, ca.certPEM())
	byCA := tlsconfig.Trust{CAFiles: []string{caFile}}
	config := func(p identity, change func(*tls.Config)) *tls.Config {
		c := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}}}
		if change != nil {
			change(c)
		}
		return c
	}
	closed := enginetest.FreeAddress(t)
	for name, c := range map[string]struct {
		address  string
		trust    tlsconfig.Trust
		server   string
		speaks   string
		trusted  bool
		problems []string
	}{
		"all is well":        {serving(t, overTLS(config(good, nil))), byCA, "lab.example", "TLS", true, nil},
		"another name":       {serving(t, overTLS(config(good, nil))), byCA, "other.example", "TLS", false, []string{"it is for lab.example"}},
		"another name, pin":  {serving(t, overTLS(config(good, nil))), tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(good.cert)}}, "other.example", "TLS", true, []string{"partners that check the name refuse it"}},
		"unknown authority":  {serving(t, overTLS(config(good, nil))), tlsconfig.Trust{}, "lab.example", "TLS", false, []string{"unknown authority", "no intermediate certificate"}},
		"expired":            {serving(t, overTLS(config(old, nil))), byCA, "lab.example", "TLS", false, []string{"has expired"}},
		"ends soon":          {serving(t, overTLS(config(soon, nil))), byCA, "lab.example", "TLS", true, []string{"ends in 9 days"}},
		"TLS 1.0":            {serving(t, overTLS(config(good, func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }))), byCA, "lab.example", "TLS", true, []string{"TLS 1.0, which is not safe", "TLS 1.1, which is not safe"}},
		"client certificate": {serving(t, overTLS(config(good, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }))), byCA, "lab.example", "TLS", true, []string{"wants a certificate of the client"}},
		"root in the chain": {serving(t, overTLS(config(good, func(c *tls.Config) {
			c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, ca.cert.Raw)
		}))), byCA, "lab.example", "TLS", true, []string{"has the root in it"}},
		"HTTP": {serving(t, func(c net.Conn) {
			c.Read(make([]byte, 10))
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}), byCA, "", "HTTP", false, []string{"HTTP without TLS"}},
		// As Go's server answers to plain HTTP where it wants TLS.
		"no certificate for the name": {serving(t, tlsAlone(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }})), byCA, "lab.example", "TLS", false, []string{`no certificate for "lab.example"`}},
		"TLS 1.2 with a client certificate": {serving(t, tlsAlone(config(good, func(c *tls.Config) {
			c.MaxVersion, c.ClientAuth = tls.VersionTLS12, tls.RequireAnyClientCert
		}))), byCA, "lab.example", "TLS", false, []string{"wants a certificate of the client"}},
		"fails":           {serving(t, tlsAlone(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("not yet") }})), byCA, "lab.example", "TLS", false, []string{"the server refuses the handshake"}},
		"MLLP":            {serving(t, func(c net.Conn) { c.Read(make([]byte, 10)); io.WriteString(c, "\x0bMSH|^~\\&|\x1c\r") }), byCA, "", "MLLP", false, []string{"MLLP without TLS"}},
		"something else":  {serving(t, func(c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n"); io.Copy(io.Discard, c) }), byCA, "", "other", false, []string{"something else than TLS"}},
		"hangs up":        {serving(t, func(net.Conn) {}), byCA, "", "other", false, []string{"answers neither to TLS nor to HTTP"}},
		"says nothing":    {serving(t, func(c net.Conn) { io.Copy(io.Discard, c) }), byCA, "", "other", false, []string{"answers neither to TLS nor to HTTP"}},
		"nothing listens": {closed, byCA, "", "", false, []string{"nothing listens on the port"}},
		"no address":      {"lab.example", byCA, "", "", false, []string{"write host:port"}},
		"no trust":        {closed, tlsconfig.Trust{CAFiles: []string{"missing"}}, "", "", false, []string{"can't read missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tlsconfig.Probe{Trust: c.trust, ServerName: c.server, Timeout: 2 * time.Second}.Run(t.Context(), c.address)
			if r.Speaks != c.speaks || r.Trusted != c.trusted || len(r.Problems) != len(c.problems) {
				t.Errorf("got\n%v", r)
			}
			for i, want := range c.problems {
				if i >= len(r.Problems) || !strings.Contains(r.Problems[i].Error(), want) || !strings.Contains(r.String(), "problem: ") {
					t.Errorf("want %q, got\n%v", want, r)
				}
			}
			if len(c.problems) == 0 && !strings.Contains(r.String(), "all is well") {
				t.Error(r)
			}
			if name == "client certificate" && !(r.ClientCertificate && r.ClientRequired) {
				t.Error(r)
			}
			if c.speaks == "" && name != "no trust" && !errors.Is(r.Problems[0], tlsconfig.ErrNotReached) {
				t.Error(r.Problems[0])
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := (tlsconfig.Probe{}).Run(ctx, closed); r.Speaks != "" || len(r.Problems) != 1 {
		t.Error(r)
	}
}
