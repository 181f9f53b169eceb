package tlsconfig_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
)

// inFIPS runs a test once more as a process of its own, in each of the FIPS 140-3 modes: they
// can't be changed in a program that runs. It reports whether this is such a process.
func inFIPS(t *testing.T, modes ...string) bool {
	t.Helper()
	const child = "LADLE_TEST_FIPS"
	if os.Getenv(child) != "" {
		return true
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$", "-test.v")
			cmd.Env = append(os.Environ(), child+"="+mode, "GODEBUG=fips140="+mode)
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	return false
}

func TestFIPS(t *testing.T) {
	t.Parallel()
	if !inFIPS(t, "on", "only") {
		return
	}
	if !fips140.Enabled() {
		t.Fatal("this is no FIPS 140-3 mode")
	}
	// A home-made certificate goes through a PFX file, is found by its SHA-1 thumbprint and
	// trusted by the other.
	pair, err := tlsconfig.SelfSigned{FriendlyName: "x", Names: []string{"localhost"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		t.Fatal(err)
	}
	certificate := tlsconfig.Certificate{File: file(t, pfx), Password: "secret", Thumbprint: tlsconfig.SHA1(pair.Certificate)}
	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{certificate}}
	client := tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(pair.Certificate)}}}
	for _, version := range []tlsconfig.Version{tlsconfig.TLS12, tlsconfig.TLS13} {
		server.MaxVersion = version
		if state, serverErr, err := handshake(t, mustOpen(t, server), mustOpen(t, client), 2); err != nil || serverErr != nil || state.Version != uint16(version) || !state.DidResume {
			t.Errorf("TLS %v: %v %v", version, serverErr, err)
		}
	}
	client.Trust.Thumbprints[0] = tlsconfig.SHA1(pair.Certificate)
	switch err := client.Validate(); {
	case !fips140.Enforced() && err != nil:
		t.Error(err)
	case fips140.Enforced() && (!slices.Equal(fieldsOf(err), []string{"trust.thumbprints[0]"}) || !strings.Contains(err.Error(), "take the SHA-256 thumbprint")):
		t.Error(err)
	}

	// An authority, and a response that is stapled.
	ca := issue(t, "Authority", nil, authority)
	leaf := issue(t, "leaf", &ca, nil)
	stapling := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{{File: file(t, withAuthority(t, leaf, ca)), Staple: file(t, respond(t, ca, ca, leaf, nil))}}})
	requiring := mustOpen(t, tlsconfig.Client{ServerName: "localhost", Trust: tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}, OCSP: tlsconfig.OCSPRequire}})
	if _, _, err := handshake(t, stapling, requiring, 1); err != nil {
		t.Error(err)
	}

	// A file of old, with 3DES and a MAC of SHA-1.
	old := tlsconfig.Certificate{File: filepath.Join("testdata", "certificates", "pfx-3des.pfx"), Password: "secret"}
	if _, err := old.Load(); (err == nil) == fips140.Enforced() || err != nil && !errors.Is(err, tlsconfig.ErrUnsupported) {
		t.Error(err)
	}

	// What isn't approved is refused before somebody waits for a handshake.
	for _, suite := range tls.CipherSuites() {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		identity := leaf
		if strings.Contains(suite.Name, "_RSA_") {
			identity = issueKey(t, "leaf", newKey(t, rsa2), &ca, nil)
		}
		raw := tls.Certificate{Certificate: [][]byte{identity.cert.Raw}, PrivateKey: identity.key}
		_, _, spoken := handshake(t, &tls.Config{Certificates: []tls.Certificate{raw}}, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}, 1)
		err := new(tlsconfig.CipherSuite).UnmarshalText([]byte(suite.Name))
		if (spoken == nil) != (err == nil) || err != nil && !strings.Contains(err.Error(), "isn't approved in FIPS 140-3 mode, in which this program runs, and is never spoken: take of TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384") {
			t.Errorf("%s: %v, where crypto/tls says %v", suite.Name, err, spoken)
		}
	}
	server.MaxVersion, server.CipherSuites = 0, []tlsconfig.CipherSuite{tlsconfig.CipherSuite(tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)}
	if err := server.Validate(); !slices.Equal(fieldsOf(err), []string{"cipher-suites[0]"}) {
		t.Error(err)
	}
	if !fips140.Enforced() { // where there is no such key at all
		key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		small := issueKey(t, "Small", key, nil, authority)
		trust := tlsconfig.Trust{CAFiles: []string{file(t, small.certPEM())}}
		leaf := issue(t, "leaf", &small, nil)
		_, _, err = handshake(t, mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{leaf.bundle(t)}}), mustOpen(t, tlsconfig.Client{ServerName: "localhost", Trust: trust}), 1)
		if !errors.Is(err, tlsconfig.ErrWeak) || !errors.Is(err, tlsconfig.ErrNotTrusted) || !strings.Contains(err.Error(), "the key of CN=Small isn't approved") {
			t.Error(err)
		}
	}
}

// Every kind of file is read in the strict FIPS 140-3 mode, or refused with what to do; none
// panics.
func TestFIPSFiles(t *testing.T) {
	t.Parallel()
	if !inFIPS(t, "only") {
		return
	}
	dir := filepath.Join("testdata", "certificates")
	raw, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	same, refused := 0, make(map[string]bool)
	for line := range strings.Lines(string(raw)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		pair, err := tlsconfig.Certificate{File: filepath.Join(dir, columns[0]), Password: tlsconfig.Secret(columns[1]), FriendlyName: columns[2]}.Load()
		switch got := outcome(dir, pair, err); {
		case got == columns[3]:
			same++
		case errors.Is(err, tlsconfig.ErrUnsupported) && strings.Contains(got, "not supported in FIPS 140-3 mode: how the file is encrypted (") && strings.Contains(got, "write it anew with AES-256"):
			refused[columns[0]] = true
		default:
			t.Errorf("%s with the password %q:\ngot  %s\nwant %s", columns[0], columns[1], got, columns[3])
		}
	}
	t.Logf("%d as ever, %d refused", same, len(refused))
	if same < 40 {
		t.Errorf("only %d are as ever", same)
	}
	for _, name := range []string{"pfx-3des.pfx", "pem-pbes2-des3.pem", "pem-dek-des3.pem"} {
		if !refused[name] {
			t.Errorf("%s is not refused", name)
		}
	}
}
