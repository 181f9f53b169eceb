package tlsconfig_test

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

func TestCipherSuites(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "",
		"TLS_AES_128_GCM_SHA256":                  "chooses by itself",
		"TLS_RSA_WITH_RC4_128_SHA":                "is not safe and is never spoken: take of TLS_ECDHE",
		"TLS_DHE_RSA_WITH_AES_256_GCM_SHA384":     "has no DHE suites",
		"AES":                                     "is no cipher suite: take of TLS_ECDHE",
	} {
		var c tlsconfig.CipherSuite
		err := c.UnmarshalText([]byte(name))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && c.String() != name {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
	pair := issue(t, "suites", nil, nil)
	suite := tlsconfig.CipherSuite(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
	server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{pair.bundle(t)}, CipherSuites: []tlsconfig.CipherSuite{suite}, MaxVersion: tlsconfig.TLS12})
	trust := tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(pair.cert)}}
	state, _, err := handshake(t, server, mustOpen(t, tlsconfig.Client{Trust: trust}), 1)
	if err != nil || state.CipherSuite != uint16(suite) {
		t.Errorf("%s %v", tls.CipherSuiteName(state.CipherSuite), err)
	}
	other := tlsconfig.CipherSuite(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
	if _, _, err := handshake(t, server, mustOpen(t, tlsconfig.Client{Trust: trust, CipherSuites: []tlsconfig.CipherSuite{other}}), 1); err == nil {
		t.Error("they have no suite in common")
	}
	for _, s := range []tlsconfig.Server{
		{Certificates: []tlsconfig.Certificate{pair.bundle(t)}, CipherSuites: []tlsconfig.CipherSuite{suite}, MinVersion: tlsconfig.TLS13},
		{Certificates: []tlsconfig.Certificate{pair.bundle(t)}, CipherSuites: []tlsconfig.CipherSuite{tlsconfig.CipherSuite(tls.TLS_RSA_WITH_RC4_128_SHA)}},
	} {
		if err := s.Validate(); err == nil || !strings.HasPrefix(fieldsOf(err)[0], "cipher-suites") {
			t.Errorf("%v", err)
		}
	}
}

func TestNamesOfClients(t *testing.T) {
	t.Parallel()
	ca := issue(t, "authority", nil, authority)
	server := issue(t, "server", nil, nil)
	known := issue(t, "Laboratory", &ca, func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses = []string{"lab.example"}, []string{"it@lab.example"}
	})
	trust := tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}}
	for name, want := range map[string]bool{"laboratory": true, "CN=Laboratory": true, "LAB.example": true, "it@lab.example": true, "lab": false, "other.example": false} {
		trust.Names = []string{"nobody.example", name}
		config := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{server.bundle(t)}, ClientAuth: tlsconfig.ClientRequire, Trust: trust})
		_, serverErr, _ := handshake(t, config, mustOpen(t, tlsconfig.Client{Certificates: []tlsconfig.Certificate{known.bundle(t)}, Trust: tlsconfig.Trust{Insecure: true}}), 2)
		if (serverErr == nil) != want || serverErr != nil && !errors.Is(serverErr, tlsconfig.ErrNotTrusted) {
			t.Errorf("%s: %v", name, serverErr)
		}
	}
	for _, wrong := range []interface{ Validate() error }{
		tlsconfig.Server{Certificates: []tlsconfig.Certificate{server.bundle(t)}, ClientAuth: tlsconfig.ClientRequire, Trust: tlsconfig.Trust{Names: []string{"x"}}},
		tlsconfig.Client{Trust: tlsconfig.Trust{System: true, Names: []string{"x"}}},
	} {
		if err := wrong.Validate(); err == nil || !slices.Equal(fieldsOf(err), []string{"trust.names"}) {
			t.Errorf("%v", err)
		}
	}
}

// revoke makes a revocation list of an authority.
func revoke(t testing.TB, ca identity, next time.Time, serials ...*big.Int) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: next.Add(-48 * time.Hour), NextUpdate: next}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: next.Add(-72 * time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	signing := func(c *x509.Certificate) {
		authority(c)
		c.KeyUsage |= x509.KeyUsageCRLSign
	}
	ca, other := issue(t, "authority", nil, signing), issue(t, "other", nil, signing)
	good, bad := issue(t, "good", &ca, nil), issue(t, "bad", &ca, nil)
	tomorrow := time.Now().Add(24 * time.Hour)
	lists := file(t, revoke(t, ca, tomorrow, bad.cert.SerialNumber))
	trust := tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}, CRLFiles: []string{lists}}
	client := func(trust tlsconfig.Trust) *tls.Config {
		return mustOpen(t, tlsconfig.Client{Trust: trust, ServerName: "localhost"})
	}
	config := client(trust)
	connect := func(p identity, config *tls.Config) error {
		t.Helper()
		_, _, err := handshake(t, mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{p.bundle(t)}}), config, 1)
		return err
	}
	if err := connect(good, config); err != nil {
		t.Error(err)
	}
	if err := connect(bad, config); !errors.Is(err, tlsconfig.ErrRevoked) || !errors.Is(err, tlsconfig.ErrNotTrusted) {
		t.Error(err)
	}
	// A new list is read without anybody's doing.
	replaceFile(t, lists, revoke(t, ca, tomorrow, good.cert.SerialNumber, bad.cert.SerialNumber))
	if err := connect(good, config); !errors.Is(err, tlsconfig.ErrRevoked) {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		list []byte
		text string
	}{
		"lapsed":           {revoke(t, ca, time.Now().Add(-time.Hour)), "has lapsed"},
		"of somebody else": {revoke(t, other, tomorrow), "there is no revocation list of its authority"},
		"forged":           {revoke(t, identity{ca.cert, crypto.Signer(other.key)}, tomorrow), "there is no revocation list of its authority"},
	} {
		trust.CRLFiles = []string{file(t, c.list)}
		if err := connect(good, client(trust)); !errors.Is(err, tlsconfig.ErrNotTrusted) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, files := range map[string][]string{"no revocation list": {file(t, []byte("x"))}, "has no revocation list": {file(t, ca.certPEM())}, "can't read": {"missing"}} {
		trust.CRLFiles = files
		if err := trust.Validate(); err == nil || !strings.Contains(err.Error(), text) || fieldsOf(err)[0] != "crl[0]" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := (tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(good.cert)}, CRLFiles: []string{lists}}).Validate(); err == nil || !strings.Contains(err.Error(), "none is trusted") {
		t.Error(err)
	}
}

// A session that is resumed is checked as a new one is: a client that was trusted when the
// session began and isn't any more is refused.
func TestTrustOnResumption(t *testing.T) {
	t.Parallel()
	signing := func(c *x509.Certificate) {
		authority(c)
		c.KeyUsage |= x509.KeyUsageCRLSign
	}
	ca := issue(t, "authority", nil, signing)
	server, client := issue(t, "server", &ca, nil), issue(t, "client", &ca, nil)
	tomorrow := time.Now().Add(24 * time.Hour)
	lists := file(t, revoke(t, ca, tomorrow))
	caFile := file(t, ca.certPEM())
	for _, version := range []tlsconfig.Version{tlsconfig.TLS12, tlsconfig.TLS13} {
		replaceFile(t, lists, revoke(t, ca, tomorrow))
		listening := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{server.bundle(t)}, ClientAuth: tlsconfig.ClientRequire, MaxVersion: version,
			Trust: tlsconfig.Trust{CAFiles: []string{caFile}, CRLFiles: []string{lists}}})
		calling := mustOpen(t, tlsconfig.Client{Certificates: []tlsconfig.Certificate{client.bundle(t)}, Trust: tlsconfig.Trust{CAFiles: []string{caFile}}, ServerName: "localhost"})
		state, serverErr, clientErr := handshake(t, listening, calling, 2)
		if serverErr != nil || clientErr != nil || !state.DidResume {
			t.Fatalf("TLS %v: %v %v, resumed: %v", version, serverErr, clientErr, state.DidResume)
		}
		replaceFile(t, lists, revoke(t, ca, tomorrow, client.cert.SerialNumber))
		if _, serverErr, _ := handshake(t, listening, calling, 1); !errors.Is(serverErr, tlsconfig.ErrRevoked) {
			t.Errorf("TLS %v: a client that was revoked is let in again: %v", version, serverErr)
		}
	}
}
