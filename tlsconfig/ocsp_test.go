package tlsconfig_test

import (
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	"golang.org/x/crypto/ocsp"
)

// respond makes an OCSP response of an authority about a certificate: good, and in force
// for an hour more, unless change says something else.
func respond(t testing.TB, ca, signer, about identity, change func(*ocsp.Response)) []byte {
	t.Helper()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: about.cert.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	if signer.cert != ca.cert {
		r.Certificate = signer.cert
	}
	if change != nil {
		change(&r)
	}
	der, err := createResponse(ca, signer, r)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// createResponse names the authority by SHA-1, in FIPS mode, too.
func createResponse(ca, signer identity, r ocsp.Response) (der []byte, err error) {
	fips140.WithoutEnforcement(func() { der, err = ocsp.CreateResponse(ca.cert, signer.cert, r, signer.key) })
	return der, err
}

func alwaysStapled(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}
}

func revokedAt(day time.Time) func(*ocsp.Response) {
	return func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, day }
}

func TestStapledResponses(t *testing.T) {
	t.Parallel()
	root := issue(t, "Root", nil, authority)
	ca := issue(t, "Authority", &root, authority)
	other := issue(t, "Other", nil, authority)
	leaf, neighbour, must := issue(t, "leaf", &ca, nil), issue(t, "neighbour", &ca, nil), issue(t, "must", &ca, alwaysStapled)
	delegate := func(by *identity, change func(*x509.Certificate)) identity {
		return issue(t, "Responder", by, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
			if change != nil {
				change(c)
			}
		})
	}
	appointed := delegate(&ca, nil)
	const none, check, require = tlsconfig.OCSPNone, tlsconfig.OCSPIfStapled, tlsconfig.OCSPRequire
	for name, c := range map[string]struct {
		leaf   identity
		check  tlsconfig.OCSPCheck
		staple []byte
		want   string // of the error; "" for none
		is     error
	}{
		"good":                 {leaf, require, respond(t, ca, ca, leaf, nil), "", nil},
		"good, looked at":      {leaf, check, respond(t, ca, ca, leaf, nil), "", nil},
		"appointed":            {leaf, require, respond(t, ca, appointed, leaf, nil), "", nil},
		"with its authority":   {leaf, require, respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.Certificate = ca.cert }), "", nil},
		"none asked":           {leaf, none, respond(t, ca, ca, leaf, revokedAt(time.Now())), "", nil},
		"none shown":           {leaf, check, nil, "", nil},
		"none, required":       {leaf, require, nil, "turn OCSP stapling on", nil},
		"none, promised":       {must, check, nil, "says that there always is one", nil},
		"promised and kept":    {must, check, respond(t, ca, ca, must, nil), "", nil},
		"revoked":              {leaf, check, respond(t, ca, ca, leaf, revokedAt(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC))), `by "CN=Authority" on 2026-02-03`, tlsconfig.ErrRevoked},
		"unknown":              {leaf, check, respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.Status = ocsp.Unknown }), "doesn't know the certificate", nil},
		"lapsed":               {leaf, check, respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(-time.Minute) }), "has lapsed on", nil},
		"of tomorrow":          {leaf, check, respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(30 * time.Minute) }), "is the clock right", nil},
		"without an end":       {leaf, require, respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.NextUpdate = time.Time{} }), "", nil},
		"without an end, old":  {leaf, check, respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = time.Now().Add(-25*time.Hour), time.Time{} }), "has lapsed on", nil},
		"of another":           {leaf, check, respond(t, ca, ca, neighbour, nil), "is about another certificate", nil},
		"of another authority": {leaf, check, respond(t, other, other, leaf, nil), "is about another certificate", nil},
		"forged":               {leaf, check, respond(t, ca, identity{ca.cert, other.key}, leaf, nil), "isn't signed by the certificate's authority", nil},
		"by a neighbour":       {leaf, check, respond(t, ca, neighbour, leaf, nil), "isn't for OCSPSigning", nil},
		"appointed by another": {leaf, check, respond(t, ca, delegate(&other, nil), leaf, nil), "isn't appointed", nil},
		"appointed once": {leaf, check, respond(t, ca, delegate(&ca, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}), leaf, nil), "has expired", tlsconfig.ErrExpired},
		"refusal": {leaf, check, ocsp.TryLaterErrorResponse, "has refused to answer (try later)", nil},
		"rubbish": {leaf, check, []byte("rubbish"), "can't be read", tlsconfig.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair := tls.Certificate{Certificate: [][]byte{c.leaf.cert.Raw, ca.cert.Raw}, PrivateKey: c.leaf.key, OCSPStaple: c.staple}
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				client := mustOpen(t, tlsconfig.Client{ServerName: "localhost", Trust: tlsconfig.Trust{CAFiles: []string{file(t, root.certPEM())}, OCSP: c.check}})
				_, _, err := handshake(t, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: version}, client, 1)
				if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.Is(err, tlsconfig.ErrNotTrusted) || c.is != nil && !errors.Is(err, c.is)) {
					t.Errorf("TLS %x: %v", version, err)
				}
				// Clients show one to a server, too, if it is with TLS 1.3.
				if version == tls.VersionTLS12 && c.staple != nil {
					continue
				}
				server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{leaf.bundle(t)}, ClientAuth: tlsconfig.ClientRequire, Trust: tlsconfig.Trust{CAFiles: []string{file(t, root.certPEM())}, OCSP: c.check}})
				_, err, _ = handshake(t, server, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, MaxVersion: version}, 1)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("a client, TLS %x: %v", version, err)
				}
			}
		})
	}
}

// Where responses are looked at, a session isn't resumed with an old one.
func TestNoResumptionWithOCSP(t *testing.T) {
	t.Parallel()
	ca := issue(t, "Authority", nil, authority)
	leaf := issue(t, "leaf", &ca, nil)
	trust := tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, check := range []tlsconfig.OCSPCheck{tlsconfig.OCSPNone, tlsconfig.OCSPIfStapled} {
			trust := trust
			trust.OCSP = check
			pair := tls.Certificate{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}
			state, _, err := handshake(t, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: version}, mustOpen(t, tlsconfig.Client{Trust: trust, ServerName: "localhost"}), 2)
			if err != nil || state.DidResume != (check == tlsconfig.OCSPNone) {
				t.Errorf("TLS %x, %v: resumed: %v, %v", version, check, state.DidResume, err)
			}
			server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{leaf.bundle(t)}, ClientAuth: tlsconfig.ClientRequire, Trust: trust})
			state, _, err = handshake(t, server, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}, 2)
			if err != nil || state.DidResume != (check == tlsconfig.OCSPNone) {
				t.Errorf("a client, TLS %x, %v: resumed: %v, %v", version, check, state.DidResume, err)
			}
		}
	}
	// Who gives the settings a cache of their own gets the response that the session began
	// with, and it is held against the clock.
	trust.OCSP = tlsconfig.OCSPRequire
	client := mustOpen(t, tlsconfig.Client{Trust: trust, ServerName: "localhost"})
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	pair := tls.Certificate{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key, OCSPStaple: respond(t, ca, ca, leaf, nil)}
	server := &tls.Config{Certificates: []tls.Certificate{pair}}
	if state, _, err := handshake(t, server, client, 2); err != nil || !state.DidResume {
		t.Errorf("resumed: %v, %v", state.DidResume, err)
	}
}

// Nothing but what the authority has signed is believed, whatever a peer sends.
func FuzzParseOCSP(f *testing.F) {
	ca := issue(f, "Authority", nil, authority)
	leaf := issue(f, "leaf", &ca, nil)
	appointed := issue(f, "Responder", &ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	stranger := issue(f, "Authority", nil, authority)
	for _, der := range [][]byte{
		respond(f, ca, identity{ca.cert, stranger.key}, leaf, nil),
		respond(f, ca, stranger, leaf, nil),
		respond(f, ca, appointed, leaf, revokedAt(time.Now())),
		ocsp.TryLaterErrorResponse,
	} {
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if tlsconfig.ParseOCSP(der, leaf.cert, ca.cert, time.Now()) == nil {
			t.Errorf("%x is believed", der)
		}
	})
}

func TestOCSPMistakes(t *testing.T) {
	t.Parallel()
	leaf := issue(t, "leaf", nil, nil)
	for _, trust := range []tlsconfig.Trust{
		{OCSP: tlsconfig.OCSPRequire},
		{OCSP: tlsconfig.OCSPRequire, Thumbprints: pins(leaf)},
		{OCSP: 7, System: true},
	} {
		if err := trust.Validate(); err == nil || !slices.Equal(fieldsOf(err), []string{"ocsp"}) {
			t.Errorf("%v: %v", trust.OCSP, err)
		}
	}
	var c tlsconfig.OCSPCheck
	for _, name := range []string{"none", "check", "require"} {
		if err := c.UnmarshalText([]byte(name)); err != nil || c.String() != name {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
	if err := c.UnmarshalText([]byte("always")); err == nil || !strings.Contains(err.Error(), "write none, check or require") {
		t.Error(err)
	}
}
