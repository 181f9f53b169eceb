package acme_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	"github.com/ladlehq/ladle/tlsconfig/acme"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer has settings for p, and a storage of its own.
func issuer(t testing.TB, p *pebble, domains ...string) *acme.Issuer {
	i := &acme.Issuer{
		Domains: domains, AcceptTerms: true, Storage: filepath.Join(t.TempDir(), "storage"),
		Directory: p.directory, DirectoryCA: p.ca,
	}
	i.SetFirstRetry(20 * time.Millisecond)
	return i
}

// stored returns the files of a storage, without the folder of the authority.
func stored(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			kind, _, _ := strings.Cut(d.Name(), "-")
			all[kind] = name
		}
		if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
			t.Errorf("%s has the rights %o", name, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The whole life: got by HTTP-01, shown, kept, and shown again after a restart though the
// authority is gone.
func TestHTTP01(t *testing.T) {
	t.Parallel()
	public, port := listen(t), listen(t)
	p := newPebble(t, public, listen(t), nil)
	settings := issuer(t, p, "Lab.example")
	settings.HTTPListener, settings.Email = public, "it@lab.example"
	s := serve(t, port, settings)
	if _, err := shown(port, "lab.example", p.roots(t)); err == nil {
		t.Error("a certificate is shown before there is one")
	}
	s.watch()
	leaf := s.renewed(t)
	got, err := shown(port, "lab.example", p.roots(t))
	if err != nil || !got.Equal(leaf) || !s.source.Leaves()[0].Equal(leaf) {
		t.Fatalf("shown: %v, %v", got, err)
	}
	// The listener tells nothing to anybody else.
	for _, path := range []string{"/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/x", "/.well-known/acme-challenge"} {
		resp, err := http.Get("http://" + public.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound || !resp.Close {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", public.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
	files := stored(t, settings.Storage)
	if len(files) != 2 {
		t.Errorf("stored: %v", files)
	}

	roots := p.roots(t)
	p.stop()
	again := *settings
	again.HTTPListener, port = nil, listen(t)
	s = serve(t, port, &again)
	if got, err := shown(port, "lab.example", roots); err != nil || !got.Equal(leaf) {
		t.Errorf("after a restart: %v, %v", got, err)
	}
	s.watch()
	if err := s.close(); err != nil || len(s.notices) > 0 {
		t.Errorf("the authority was asked for what there is: %v, %v", len(s.notices), err)
	}
	// The file is one that a Certificate reads, too.
	if c, err := (tlsconfig.Certificate{File: files["certificate"]}).Load(); err != nil || !c.Leaf.Equal(leaf) {
		t.Errorf("as a file: %v", err)
	}
}

// The server's own port proves two names, among connections of others.
func TestTLSALPN01(t *testing.T) {
	t.Parallel()
	port := listen(t)
	p := newPebble(t, listen(t), port, nil)
	s := serve(t, port, issuer(t, p, "lab.example", "clinic.example"))
	s.watch()
	leaf := s.renewed(t)
	for _, name := range []string{"lab.example", "clinic.example", "LAB.example"} {
		if got, err := shown(port, name, p.roots(t)); err != nil || !got.Equal(leaf) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// Nobody else gets a proof out of it.
	_, err := tls.Dial("tcp", port.Addr().String(), &tls.Config{ServerName: "lab.example", InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
	if err == nil {
		t.Error("a proof was given after the authority had it")
	}
	// A client that says no name sees it, too.
	c, err := tls.Dial("tcp", port.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.ConnectionState().PeerCertificates[0].Equal(leaf) {
		t.Error("without a name another certificate is shown")
	}
}

// A certificate that lives for seconds is renewed again and again, while the server runs.
func TestRenewal(t *testing.T) {
	t.Parallel()
	port := listen(t)
	p := newPebble(t, listen(t), port, func(config map[string]any) {
		config["profiles"] = map[string]any{"default": map[string]any{"description": "short", "validityPeriod": 14}}
	})
	settings := issuer(t, p, "lab.example")
	settings.RenewBefore = 24 * time.Hour // bounded by half of its life
	s := serve(t, port, settings)
	s.watch()
	first := s.renewed(t)
	second := s.renewed(t)
	if half := first.NotBefore.Add(first.NotAfter.Sub(first.NotBefore) / 2); time.Now().Before(half) {
		t.Error("renewed before half of its life was over")
	}
	if first.Equal(second) || first.PublicKeyAlgorithm != second.PublicKeyAlgorithm {
		t.Error("it is the same")
	}
	if got, err := shown(port, "lab.example", p.roots(t)); err != nil || got.Equal(first) {
		t.Errorf("%v, %v", got, err)
	}
	s.renewed(t)
}

// While the authority is down the trouble is told, and it is asked again.
func TestAuthorityDown(t *testing.T) {
	t.Parallel()
	port := listen(t)
	p := preparePebble(t, listen(t), port, nil)
	s := serve(t, port, issuer(t, p, "lab.example"))
	s.watch()
	err := s.refused(t, "can't be reached", p.directory, "connection refused", "firewall", "tried again in ")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("several lines: %v", err)
	}
	if _, err := shown(port, "lab.example", nil); err == nil {
		t.Error("something is shown")
	}
	p.start(t)
	for {
		if n := s.next(t); n.Kind == tlsconfig.Renewed {
			break
		}
	}
	if _, err := shown(port, "lab.example", p.roots(t)); err != nil {
		t.Error(err)
	}
}

// An authority that is no longer there when it is time leaves the old certificate in place.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	port := listen(t)
	p := newPebble(t, listen(t), port, func(config map[string]any) {
		config["profiles"] = map[string]any{"default": map[string]any{"description": "short", "validityPeriod": 16}}
	})
	settings := issuer(t, p, "lab.example")
	settings.RenewBefore = time.Hour
	s := serve(t, port, settings)
	s.watch()
	leaf, roots := s.renewed(t), p.roots(t)
	p.stop()
	n := s.next(t)
	if n.Kind != tlsconfig.NotRenewed || !n.Certificate.Equal(leaf) {
		t.Errorf("%v: %v", n, n.Err)
	}
	if got, err := shown(port, "lab.example", roots); err != nil || !got.Equal(leaf) {
		t.Errorf("%v, %v", got, err)
	}
}

// What an authority refuses is told in plain words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	for name, c := range map[string]struct {
		settings acme.Issuer
		config   map[string]any
		words    []string
	}{
		"a name that isn't in the DNS": {
			acme.Issuer{Domains: []string{"lab.missing.example"}}, nil,
			[]string{"isn't convinced that lab.missing.example is this server (tls-alpn-01)", "address in the DNS"},
		},
		"the port leads elsewhere": {
			acme.Issuer{Domains: []string{"lab.example"}}, map[string]any{"tlsPort": 1},
			[]string{"lab.example is this server (tls-alpn-01)", "port 443 of lab.example", "set http-address"},
		},
		"port 80 leads elsewhere": {
			acme.Issuer{Domains: []string{"lab.example"}, HTTPAddress: "127.0.0.1:0"}, map[string]any{"httpPort": 1},
			[]string{"lab.example is this server (http-01)", "port 80 of lab.example"},
		},
		"a name that is blocked": {
			acme.Issuer{Domains: []string{"blocked.example"}}, map[string]any{"domainBlocklist": []string{"blocked.example"}},
			[]string{"no certificate for one of the domains", "blocked.example"},
		},
		"an account is needed": {
			acme.Issuer{Domains: []string{"lab.example"}}, map[string]any{"externalAccountBindingRequired": true},
			[]string{"set eab"},
		},
		"another account": {
			acme.Issuer{Domains: []string{"lab.example"}, EAB: acme.ExternalAccount{KeyID: "other", HMAC: secret}},
			map[string]any{"externalAccountBindingRequired": true, "externalAccountMACKeys": map[string]string{"known": secret}},
			[]string{"refuses the account", "check eab", "account.key"},
		},
		"nobody knows the directory": {
			acme.Issuer{Domains: []string{"lab.example"}, DirectoryCA: "none"}, nil,
			[]string{"isn't trusted", "directory-ca"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := listen(t)
			p := newPebble(t, port, port, func(config map[string]any) {
				for k, v := range c.config {
					config[k] = v
				}
			})
			settings := issuer(t, p, c.settings.Domains...)
			settings.EAB, settings.HTTPAddress = c.settings.EAB, c.settings.HTTPAddress
			if c.settings.DirectoryCA != "" {
				settings.DirectoryCA = ""
			}
			s := serve(t, port, settings)
			s.watch()
			err := s.refused(t, c.words...)
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
				t.Errorf("told: %v", err)
			}
		})
	}
}

// A customer's account is bound to the one that is made.
func TestExternalAccount(t *testing.T) {
	t.Parallel()
	const secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	port := listen(t)
	p := newPebble(t, listen(t), port, func(config map[string]any) {
		config["externalAccountBindingRequired"] = true
		config["externalAccountMACKeys"] = map[string]string{"known": secret}
	})
	settings := issuer(t, p, "lab.example")
	settings.EAB = acme.ExternalAccount{KeyID: "known", HMAC: secret}
	s := serve(t, port, settings)
	s.watch()
	s.renewed(t)
}

// What is no key or no certificate, or doesn't fit, is told and replaced.
func TestDamagedStorage(t *testing.T) {
	t.Parallel()
	address := freeAddress(t) // taken again by each start
	_, httpPort, _ := strings.Cut(address, ":")
	port := listen(t)
	p := newPebble(t, port, port, func(config map[string]any) {
		config["httpPort"] = json.Number(httpPort)
	})
	settings := issuer(t, p, "lab.example")
	settings.HTTPAddress = address
	s := serve(t, listen(t), settings)
	s.watch()
	s.renewed(t)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	files := stored(t, settings.Storage)
	certificate, account := read(t, files["certificate"]), read(t, files["account.key"])
	key, _, _ := strings.Cut(certificate, "-----BEGIN CERTIFICATE-----")
	chain := strings.TrimPrefix(certificate, key)
	for name, c := range map[string]struct{ certificate, account string }{
		"garbage":           {"garbage", account},
		"empty":             {"", account},
		"another key":       {account + chain, account},
		"the key alone":     {key, account},
		"no account":        {certificate, "garbage"},
		"a damaged account": {certificate, "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"},
		"both":              {"garbage", "garbage"},
	} {
		place(t, files["certificate"], c.certificate)
		place(t, files["account.key"], c.account)
		s := serve(t, listen(t), settings)
		s.watch()
		if c.account != account {
			s.refused(t, files["account.key"], "a new account is made")
		}
		if c.certificate != certificate {
			s.refused(t, files["certificate"], "can't be used", "a new certificate is asked for")
			s.renewed(t)
		}
		if len(s.source.Leaves()) != 1 {
			t.Errorf("%s: there is no certificate", name)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		stored(t, settings.Storage) // looks at the rights
		if _, err := (tlsconfig.Certificate{File: files["certificate"]}).Load(); err != nil {
			t.Errorf("%s: not replaced: %v", name, err)
		}
	}
}

// Two servers with one storage: the second shows what the first has got, and however many
// write at once, what is there can be read.
func TestSharedStorage(t *testing.T) {
	t.Parallel()
	port, other := listen(t), listen(t)
	p := newPebble(t, listen(t), port, nil)
	settings := issuer(t, p, "lab.example", "clinic.example")
	sameNames := *settings
	sameNames.Domains = []string{"Clinic.example", "lab.example"}
	first := serve(t, port, settings)
	second := serve(t, other, &sameNames)
	first.watch()
	leaf := first.renewed(t)
	p.stop()
	second.watch()
	if got := second.renewed(t); !got.Equal(leaf) {
		t.Error("the second has another certificate")
	}
	account := stored(t, settings.Storage)["account.key"]
	place(t, account, "garbage")
	var writing sync.WaitGroup
	for range 8 {
		writing.Go(func() {
			i, err := settings.Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if l := i.Leaves(); len(l) != 1 || !l[0].Equal(leaf) {
				t.Error("it isn't shown")
			}
			if err := i.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	if files := stored(t, settings.Storage); len(files) != 2 {
		t.Errorf("left behind: %v", files)
	}
	if block, rest := pem.Decode([]byte(read(t, account))); block == nil || len(rest) > 0 {
		t.Error("the account's key is garbage")
	}
}

// A certificate that can't be kept is shown all the same, and the trouble told.
func TestCannotKeep(t *testing.T) {
	t.Parallel()
	port := listen(t)
	p := newPebble(t, listen(t), port, nil)
	settings := issuer(t, p, "lab.example")
	s := serve(t, port, settings)
	if err := os.RemoveAll(settings.Storage); err != nil {
		t.Fatal(err)
	}
	s.watch()
	leaf := s.renewed(t)
	if err := s.refused(t, "is shown, but can't be kept in "+settings.Storage); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got, err := shown(port, "lab.example", p.roots(t)); err != nil || !got.Equal(leaf) {
		t.Errorf("%v, %v", got, err)
	}
}

// An authority that never answers doesn't hold up the end.
func TestCloseWhileAsking(t *testing.T) {
	t.Parallel()
	hanging := listen(t)
	settings := &acme.Issuer{Domains: []string{"lab.example"}, AcceptTerms: true, Storage: t.TempDir(), Directory: "http://" + hanging.Addr().String()}
	s := serve(t, listen(t), settings)
	s.watch()
	c, err := hanging.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second || len(s.notices) > 0 {
		t.Errorf("took %s, %d notices", took, len(s.notices))
	}
}

func TestBeforeTheFirst(t *testing.T) {
	t.Parallel()
	i, err := (&acme.Issuer{Domains: []string{"Lab.example"}, AcceptTerms: true, Storage: t.TempDir()}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for _, name := range []string{"lab.example", "LAB.EXAMPLE", "lab.example."} {
		if _, err := i.GetCertificate(&tls.ClientHelloInfo{ServerName: name}); !errors.Is(err, acme.ErrNotIssued) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := i.GetCertificate(&tls.ClientHelloInfo{ServerName: "other.example"}); err == nil || errors.Is(err, acme.ErrNotIssued) {
		t.Errorf("another name: %v", err)
	}
	if l := i.Leaves(); len(l) != 0 || i.Names()[0] != "lab.example" {
		t.Errorf("%v, %v", l, i.Names())
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// place writes a file as a careless person does.
func place(t testing.TB, name, content string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(name, []byte(content), 0o644), os.Chmod(name, 0o644)); err != nil {
		t.Fatal(err)
	}
}
