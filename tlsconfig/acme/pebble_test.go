package acme_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// patience is how long a test waits for what should happen.
const patience = time.Minute

// findPebble returns where letsencrypt's ACME server for tests is, and skips the test
// where there is none.
func findPebble(t testing.TB) string {
	t.Helper()
	if file := os.Getenv("LADLE_PEBBLE"); file != "" {
		return file
	}
	if file, err := exec.LookPath("pebble"); err == nil {
		return file
	}
	if out, err := exec.Command("go", "env", "GOPATH").Output(); err == nil {
		file := filepath.Join(strings.TrimSpace(string(out)), "bin", "pebble")
		if found, err := exec.LookPath(file); err == nil {
			return found
		}
	}
	t.Skip("pebble is not installed: .ci/run says how to install it; or name it as LADLE_PEBBLE")
	return ""
}

// A pebble is an authority, which looks for proofs on ports of this machine.
type pebble struct {
	config     map[string]any
	directory  string // its address
	ca         string // a file with the root of its own HTTPS server
	management string

	program, file, dns string
	cmd                *exec.Cmd
	output             *bytes.Buffer
}

// newPebble starts an authority that looks for proofs on the ports of these listeners;
// change may alter its configuration.
func newPebble(t testing.TB, http01, tlsALPN01 net.Listener, change func(config map[string]any)) *pebble {
	t.Helper()
	p := preparePebble(t, http01, tlsALPN01, change)
	p.start(t)
	return p
}

func preparePebble(t testing.TB, http01, tlsALPN01 net.Listener, change func(config map[string]any)) *pebble {
	t.Helper()
	p := &pebble{program: findPebble(t), dns: serveDNS(t)}
	pair, err := tlsconfig.SelfSigned{FriendlyName: "pebble", Names: []string{"127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p.ca = write(t, dir, "pebble.crt", pair.PEM())
	keyFile := write(t, dir, "pebble.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	address, management := freeAddress(t), freeAddress(t)
	p.directory, p.management = "https://"+address+"/dir", "https://"+management
	p.config = map[string]any{
		"listenAddress": address, "managementListenAddress": management,
		"certificate": p.ca, "privateKey": keyFile, "keyAlgorithm": "ecdsa",
		"httpPort": portOf(http01), "tlsPort": portOf(tlsALPN01),
		"profiles": map[string]any{"default": map[string]any{"description": "as ever", "validityPeriod": 90 * 24 * 3600}},
	}
	if change != nil {
		change(p.config)
	}
	text, err := json.Marshal(map[string]any{"pebble": p.config})
	if err != nil {
		t.Fatal(err)
	}
	p.file = write(t, dir, "pebble.json", text)
	return p
}

// start starts the process and waits until it answers. It forgets everything in between.
func (p *pebble) start(t testing.TB) {
	t.Helper()
	p.output = new(bytes.Buffer)
	p.cmd = exec.Command(p.program, "-config", p.file, "-dnsserver", p.dns, "-strict")
	p.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_VA_ALWAYS_VALID=0", "PEBBLE_WFE_NONCEREJECT=5", "PEBBLE_AUTHZREUSE=0")
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, output := p.cmd, p.output
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("process %d said:\n%s", cmd.Process.Pid, output)
		}
	})
	deadline := time.After(patience)
	for {
		err := errors.Join(p.get(p.directory, io.Discard), p.get(p.management+"/roots/0", io.Discard))
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("pebble doesn't answer: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the process, if it runs.
func (p *pebble) stop() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait() // its status is that it was killed
		p.cmd = nil
	}
}

func (p *pebble) get(url string, to io.Writer) error {
	raw, err := os.ReadFile(p.ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	_, err = io.Copy(to, resp.Body)
	return err
}

// roots are the authority's own, which change with each start.
func (p *pebble) roots(t testing.TB) *x509.CertPool {
	t.Helper()
	var text bytes.Buffer
	if err := p.get(p.management+"/roots/0", &text); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text.Bytes()) {
		t.Fatalf("no root: %s", &text)
	}
	return pool
}

// serveDNS answers with 127.0.0.1 for every name but those under missing.example, over
// TCP as pebble asks (RFC 1035, 4.2.2), and returns its address.
func serveDNS(t testing.TB) string {
	t.Helper()
	l := listen(t)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				var size [2]byte
				if _, err := io.ReadFull(c, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(c, query); err != nil {
					return
				}
				reply := answerDNS(query)
				c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			})
		}
	})
	return l.Addr().String()
}

// answerDNS answers a question about one name (RFC 1035, 4.1).
func answerDNS(query []byte) []byte {
	const header = 12
	name := header
	for name < len(query) && query[name] != 0 {
		name += int(query[name]) + 1
	}
	end := name + 1 + 4 // type and class
	if end > len(query) {
		return nil
	}
	code, answers := byte(0), byte(0)
	missing := bytes.Contains(query[header:name], []byte("\x07missing\x07example"))
	isA := bytes.Equal(query[name+1:end], []byte{0, 1, 0, 1})
	if missing {
		code = 3 // there is no such name
	} else if isA {
		answers = 1
	}
	reply := append([]byte{query[0], query[1], 0x84, code, 0, 1, 0, answers, 0, 0, 0, 0}, query[header:end]...)
	if answers == 1 {
		reply = append(reply, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return reply
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// freeAddress returns one that nobody listens on, for a program that can't be given a
// listener.
func freeAddress(t testing.TB) string {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().String()
}

func write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := tlsconfig.WriteFile(file, content); err != nil {
		t.Fatal(err)
	}
	return file
}

// A server shows what an issuer gets, on a port.
type server struct {
	source  *tlsconfig.Source
	notices chan tlsconfig.Notice
	close   func() error
}

// serve opens the settings and greets whoever connects to l, without getting anything yet.
func serve(t testing.TB, l net.Listener, c tlsconfig.Issuer) *server {
	t.Helper()
	source, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Issuer: c}}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{source: source, notices: make(chan tlsconfig.Notice, 1000)}
	var serving sync.WaitGroup
	config := source.Config()
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				io.WriteString(tls.Server(c, config), "x")
			})
		}
	})
	s.close = sync.OnceValue(func() error {
		err := source.Close()
		l.Close()
		serving.Wait()
		return err
	})
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) watch() { s.source.Watch(func(n tlsconfig.Notice) { s.notices <- n }) }

// next returns what is told next.
func (s *server) next(t testing.TB) tlsconfig.Notice {
	t.Helper()
	select {
	case n := <-s.notices:
		t.Log(n, n.Err)
		return n
	case <-time.After(patience):
		t.Fatal("nothing was told")
		panic("unreachable")
	}
}

// renewed fails the test unless a certificate has come.
func (s *server) renewed(t testing.TB) *x509.Certificate {
	t.Helper()
	n := s.next(t)
	if n.Kind != tlsconfig.Renewed || n.Certificate == nil || n.Err != nil {
		t.Fatalf("%v: %v", n, n.Err)
	}
	return n.Certificate
}

// refused fails the test unless it is told that nothing was got, in these words.
func (s *server) refused(t testing.TB, words ...string) error {
	t.Helper()
	n := s.next(t)
	if n.Kind != tlsconfig.NotRenewed || n.Err == nil {
		t.Fatalf("%v: %v", n, n.Err)
	}
	for _, w := range words {
		if !strings.Contains(n.Err.Error(), w) {
			t.Errorf("%q is missing in: %v", w, n.Err)
		}
	}
	return n.Err
}

// shown returns what a client sees that calls name and believes roots.
func shown(l net.Listener, name string, roots *x509.CertPool) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := (&tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: roots}}).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("after the handshake: %w", err)
	}
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}
