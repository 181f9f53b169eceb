package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// A givenIssuer has certificates already.
type givenIssuer struct {
	names  []string
	pair   tls.Certificate
	fault  error // of Open
	closed bool
	asked  chan []string
}

func (g *givenIssuer) Validate() error                                { return nil }
func (g *givenIssuer) Open(context.Context) (tlsconfig.Issued, error) { return g, g.fault }
func (g *givenIssuer) Names() []string                                { return g.names }
func (g *givenIssuer) Leaves() []*x509.Certificate                    { return []*x509.Certificate{g.pair.Leaf} }
func (g *givenIssuer) Close() error                                   { g.closed = true; return nil }
func (g *givenIssuer) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	g.asked <- hello.SupportedProtos
	return &g.pair, nil
}
func (g *givenIssuer) Watch(ctx context.Context, notify func(tlsconfig.Notice)) {
	notify(tlsconfig.Notice{Kind: tlsconfig.Renewed, Certificate: g.pair.Leaf})
	<-ctx.Done()
}

func newGivenIssuer(t testing.TB, change func(*x509.Certificate), names ...string) *givenIssuer {
	i := issue(t, "", nil, func(c *x509.Certificate) {
		if c.DNSNames = names; change != nil {
			change(c)
		}
	})
	pair := tls.Certificate{Certificate: [][]byte{i.cert.Raw}, PrivateKey: i.key, Leaf: i.cert}
	return &givenIssuer{names: names, pair: pair, asked: make(chan []string, 10)}
}

// An issuer's certificate is shown for its names, beside those of files, and its authority
// can look at the port though the server asks everybody else for a certificate.
func TestIssuerAmongFiles(t *testing.T) {
	t.Parallel()
	ca := issue(t, "authority", nil, authority)
	fromFile := issue(t, "file", nil, nil)
	given := newGivenIssuer(t, nil, "lab.example")
	source, err := tlsconfig.Server{
		Certificates: []tlsconfig.Certificate{fromFile.bundle(t), {Issuer: given}},
		ClientAuth:   tlsconfig.ClientRequire,
		Trust:        tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}},
	}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]*x509.Certificate{"LAB.example": given.pair.Leaf, "other.example": fromFile.cert, "": fromFile.cert} {
		var got *x509.Certificate
		_, _, _ = handshake(t, source.Config(), &tls.Config{ServerName: name, InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
			got = cs.PeerCertificates[0]
			return nil
		}}, 1)
		if !got.Equal(want) {
			t.Errorf("%q: another certificate is shown", name)
		}
	}
	<-given.asked
	client := &tls.Config{ServerName: "lab.example", InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}}
	state, _, err := handshake(t, source.Config(), client, 1)
	if err != nil || state.NegotiatedProtocol != "acme-tls/1" || !slices.Equal(<-given.asked, client.NextProtos) {
		t.Errorf("the authority: %q, %v", state.NegotiatedProtocol, err)
	}
	client.NextProtos = append(client.NextProtos, "http/1.1")
	if _, _, err := handshake(t, source.Config(), client, 1); err == nil {
		t.Error("a client gets in without a certificate, by a protocol of the authority's")
	}
	notices := make(chan tlsconfig.Notice, 1)
	source.Watch(func(n tlsconfig.Notice) { notices <- n })
	if n := <-notices; !strings.Contains(n.String(), "was renewed: lab.example, until") {
		t.Errorf("%v", n)
	}
	if err := source.Close(); err != nil || !given.closed {
		t.Errorf("closed: %v, %v", given.closed, err)
	}
}

// What an issuer renews by itself is told of only when it is too late.
func TestIssuersCertificateEnds(t *testing.T) {
	t.Parallel()
	end := time.Now().AddDate(0, 0, 60)
	given := newGivenIssuer(t, func(c *x509.Certificate) { c.NotAfter = end }, "lab.example")
	source := openServer(t, tlsconfig.Certificate{Issuer: given})
	if all := source.Ending(end.Add(-time.Hour)); len(all) != 0 {
		t.Errorf("before the end: %v", all)
	}
	all := source.Ending(end.Add(time.Hour))
	if len(all) != 1 || !strings.Contains(all[0].String(), "has expired: lab.example") {
		t.Errorf("after the end: %v", all)
	}
}

func TestIssuerMistakes(t *testing.T) {
	t.Parallel()
	fault := errors.New("the port is taken")
	given := newGivenIssuer(t, nil, "lab.example")
	given.fault = fault
	_, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Issuer: given}}}.Open(t.Context())
	if !errors.Is(err, fault) || !slices.Equal(fieldsOf(err), []string{"certificate[0]"}) {
		t.Errorf("%v", err)
	}
	both := tlsconfig.Certificate{Issuer: given, File: "server.pfx"}
	if err := both.Validate(); !slices.Equal(fieldsOf(err), []string{"file"}) || !strings.Contains(err.Error(), "leave away") {
		t.Errorf("both: %v", err)
	}
	if _, err := both.Load(); err == nil {
		t.Error("an issuer was loaded as a file")
	}
}
