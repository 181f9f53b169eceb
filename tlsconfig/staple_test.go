package tlsconfig_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	"golang.org/x/crypto/ocsp"
)

// withAuthority is a certificate file that has the authority, too, which the response is
// checked with.
func withAuthority(t testing.TB, leaf, ca identity) []byte {
	return slices.Concat(leaf.certPEM(), leaf.keyPEM(t), ca.certPEM())
}

// watched lets source watch, and returns what it notices.
func watched(t testing.TB, source *tlsconfig.Source) (next func() tlsconfig.Notice) {
	t.Helper()
	notices := make(chan tlsconfig.Notice, 100)
	source.Watch(func(n tlsconfig.Notice) { notices <- n })
	return func() tlsconfig.Notice {
		t.Helper()
		select {
		case n := <-notices:
			return n
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was noticed")
			panic("unreachable")
		}
	}
}

// stapled returns the OCSP response that a server shows.
func stapled(t testing.TB, server *tls.Config) []byte {
	t.Helper()
	state, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return state.OCSPResponse
}

func TestStapleFile(t *testing.T) {
	t.Parallel()
	ca := issue(t, "Authority", nil, authority)
	leaf, renewed := issue(t, "leaf", &ca, alwaysStapled), issue(t, "renewed", &ca, nil)
	first := respond(t, ca, ca, leaf, nil)
	certificate, staple := file(t, withAuthority(t, leaf, ca)), file(t, first)
	source := openServer(t, tlsconfig.Certificate{File: certificate, Staple: staple})
	config := source.Config()
	trust := tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}, OCSP: tlsconfig.OCSPRequire}
	client := mustOpen(t, tlsconfig.Client{ServerName: "localhost", Trust: trust})
	if _, _, err := handshake(t, config, client, 1); err != nil {
		t.Error(err)
	}
	next := watched(t, source)
	second := respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(2 * time.Hour) })
	replaceFile(t, staple, second)
	if n := next(); n.Kind != tlsconfig.Stapled || !n.Certificate.Equal(leaf.cert) || !strings.Contains(n.String(), "the OCSP response was renewed: of CN=leaf, until 2") {
		t.Errorf("%v %v", n, n.Err)
	}
	if !bytes.Equal(stapled(t, config), second) {
		t.Error("the second response isn't shown")
	}
	// What can't be used changes nothing.
	replaceFile(t, staple, respond(t, ca, ca, leaf, revokedAt(time.Now())))
	if n := next(); n.Kind != tlsconfig.NotStapled || !errors.Is(n.Err, tlsconfig.ErrRevoked) || fieldsOf(n.Err)[0] != "certificate[0].staple" || !strings.Contains(n.String(), "no new OCSP response") {
		t.Errorf("%v %v", n, n.Err)
	}
	if !bytes.Equal(stapled(t, config), second) {
		t.Error("the second response isn't shown any more")
	}
	// A renewed certificate shows none of the old one.
	replaceFile(t, certificate, withAuthority(t, renewed, ca))
	if n := next(); n.Kind != tlsconfig.Renewed {
		t.Errorf("%v %v", n, n.Err)
	}
	if n := next(); n.Kind != tlsconfig.NotStapled || !strings.Contains(n.Err.Error(), "about another certificate") {
		t.Errorf("%v %v", n, n.Err)
	}
	if stapled(t, config) != nil {
		t.Error("a response about another certificate is shown")
	}
	third := respond(t, ca, ca, renewed, nil)
	replaceFile(t, staple, third)
	if n := next(); n.Kind != tlsconfig.Stapled || !bytes.Equal(stapled(t, config), third) {
		t.Errorf("%v %v", n, n.Err)
	}
	// A client shows its own to a server.
	listening := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{renewed.bundle(t)}, ClientAuth: tlsconfig.ClientRequire, Trust: trust})
	calling := mustOpen(t, tlsconfig.Client{Certificates: []tlsconfig.Certificate{{File: certificate, Staple: staple}}, Trust: tlsconfig.Trust{Insecure: true}})
	if _, err, _ := handshake(t, listening, calling, 1); err != nil {
		t.Error(err)
	}
}

func TestStapleMistakes(t *testing.T) {
	t.Parallel()
	ca, other := issue(t, "Authority", nil, authority), issue(t, "Other", nil, authority)
	leaf, neighbour := issue(t, "leaf", &ca, nil), issue(t, "neighbour", &ca, nil)
	home := issue(t, "home", nil, nil)
	certificate := file(t, withAuthority(t, leaf, ca))
	good := respond(t, ca, ca, leaf, nil)
	for name, c := range map[string]struct {
		certificate tlsconfig.Certificate
		field, want string // "" for none
	}{
		"DER":         {tlsconfig.Certificate{File: certificate, Staple: file(t, good)}, "", ""},
		"PEM":         {tlsconfig.Certificate{File: certificate, Staple: file(t, pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: good}))}, "", ""},
		"Base64":      {tlsconfig.Certificate{File: certificate, Staple: file(t, []byte(base64.StdEncoding.EncodeToString(good)+"\n"))}, "", ""},
		"missing":     {tlsconfig.Certificate{File: certificate, Staple: "missing.ocsp"}, "staple", "can't read missing.ocsp"},
		"rubbish":     {tlsconfig.Certificate{File: certificate, Staple: file(t, []byte("rubbish"))}, "staple", "can't be read"},
		"large":       {tlsconfig.Certificate{File: certificate, Staple: file(t, make([]byte, 1<<18))}, "staple", "larger than 128 kB"},
		"another":     {tlsconfig.Certificate{File: certificate, Staple: file(t, respond(t, ca, ca, neighbour, nil))}, "staple", "about another certificate"},
		"forged":      {tlsconfig.Certificate{File: certificate, Staple: file(t, respond(t, ca, identity{ca.cert, other.key}, leaf, nil))}, "staple", "isn't signed by"},
		"revoked":     {tlsconfig.Certificate{File: certificate, Staple: file(t, respond(t, ca, ca, leaf, revokedAt(time.Now())))}, "staple", "was revoked"},
		"authority":   {tlsconfig.Certificate{File: file(t, leaf.certPEM(), leaf.keyPEM(t)), Staple: file(t, good)}, "staple", `the authority "CN=Authority" is needed`},
		"home-made":   {tlsconfig.Certificate{File: file(t, home.certPEM(), home.keyPEM(t)), Staple: file(t, good)}, "staple", "has signed itself"},
		"twice":       {tlsconfig.Certificate{File: certificate, Staple: file(t, good), FetchStaple: true}, "fetch-staple", "leave one away"},
		"nobody asks": {tlsconfig.Certificate{File: certificate, FetchStaple: true}, "fetch-staple", "names no OCSP responder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, inServer := []string(nil), []string(nil)
			if c.field != "" {
				want, inServer = []string{c.field}, []string{"certificate[0]." + c.field}
			}
			err := c.certificate.Validate()
			if !slices.Equal(fieldsOf(err), want) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
			for _, x := range []interface{ Validate() error }{
				tlsconfig.Server{Certificates: []tlsconfig.Certificate{c.certificate}},
				tlsconfig.Client{Certificates: []tlsconfig.Certificate{c.certificate}},
			} {
				if err := x.Validate(); !slices.Equal(fieldsOf(err), inServer) {
					t.Error(err)
				}
			}
		})
	}
}

// A response that has lapsed by the time of a start is warned of and not shown: a server
// that doesn't start helps nobody.
func TestStapleLapsedAtStart(t *testing.T) {
	t.Parallel()
	ca := issue(t, "Authority", nil, authority)
	leaf := issue(t, "leaf", &ca, nil)
	old := respond(t, ca, ca, leaf, func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(-time.Minute) })
	source := openServer(t, tlsconfig.Certificate{File: file(t, withAuthority(t, leaf, ca)), Staple: file(t, old)})
	if w := source.Warnings(); len(w) != 1 || !strings.Contains(w[0], "has lapsed on") || !strings.Contains(w[0], "none is shown") {
		t.Errorf("%q", w)
	}
	if der := stapled(t, source.Config()); der != nil {
		t.Errorf("% x is shown", der)
	}
}

// A responder answers requests as authorities do.
type responder struct {
	t      testing.TB
	ca     identity
	change func(*ocsp.Response)
}

func (r responder) answer(request []byte) []byte {
	q, err := ocsp.ParseRequest(request)
	if err != nil {
		r.t.Error(err)
		return ocsp.MalformedRequestErrorResponse
	}
	a := ocsp.Response{Status: ocsp.Good, SerialNumber: q.SerialNumber, IssuerHash: q.HashAlgorithm, ThisUpdate: time.Now(), NextUpdate: time.Now().Add(24 * time.Hour)}
	if r.change != nil {
		r.change(&a)
	}
	der, err := createResponse(r.ca, r.ca, a)
	if err != nil {
		r.t.Error(err)
	}
	return der
}

func (r responder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil || q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/ocsp-request" {
		r.t.Errorf("%s %v %v", q.Method, q.Header, err)
	}
	w.Write(r.answer(body))
}

func namedResponder(urls ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.OCSPServer = urls }
}

func TestFetchStaple(t *testing.T) {
	t.Parallel()
	ca := issue(t, "Authority", nil, authority)
	var large atomic.Int64
	mux := http.NewServeMux()
	mux.Handle("/good", responder{t, ca, nil})
	mux.Handle("/revoked", responder{t, ca, revokedAt(time.Now())})
	mux.Handle("/moved", http.RedirectHandler("/good", http.StatusTemporaryRedirect))
	mux.HandleFunc("/later", func(w http.ResponseWriter, _ *http.Request) { w.Write(ocsp.TryLaterErrorResponse) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			n, _ := w.Write(make([]byte, 1<<20))
			large.Add(int64(n))
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		urls []string
		want string // in the notice; "" for a response
	}{
		"good":          {[]string{s.URL + "/good"}, ""},
		"the second is": {[]string{"ldap://localhost/", s.URL + "/missing", s.URL + "/good"}, ""},
		"nobody there":  {[]string{gone.URL}, gone.URL + ": the OCSP responder can't be reached: "},
		"missing":       {[]string{s.URL + "/missing"}, "answers with 404 Not Found"},
		"redirect":      {[]string{s.URL + "/moved"}, "answers with 307 Temporary Redirect"},
		"refusal":       {[]string{s.URL + "/later"}, "has refused to answer (try later)"},
		"large":         {[]string{s.URL + "/large"}, "answers with more than 64 kB"},
		"revoked":       {[]string{s.URL + "/revoked"}, "was revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := issue(t, "leaf", &ca, namedResponder(c.urls...))
			source := openServer(t, tlsconfig.Certificate{File: file(t, withAuthority(t, leaf, ca)), FetchStaple: true})
			n := watched(t, source)()
			if c.want == "" {
				client := mustOpen(t, tlsconfig.Client{ServerName: "localhost", Trust: tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}, OCSP: tlsconfig.OCSPRequire}})
				if _, _, err := handshake(t, source.Config(), client, 1); n.Kind != tlsconfig.Stapled || err != nil {
					t.Errorf("%v %v: %v", n, n.Err, err)
				}
				return
			}
			if n.Kind != tlsconfig.NotStapled || !strings.Contains(n.Err.Error(), c.want) || fieldsOf(n.Err)[0] != "certificate[0].fetch-staple" {
				t.Errorf("%v %v", n, n.Err)
			}
			if stapled(t, source.Config()) != nil {
				t.Error("a response is shown")
			}
		})
	}
	if large.Load() > 50<<20 {
		t.Errorf("%d MB were read of an answer that is too large", large.Load()>>20)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Days of fetching: at half of the life of each response, after pauses that grow when the
// responder fails, and the last response is shown until it lapses.
func TestFetchStapleForDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := issue(t, "Authority", nil, authority)
		leaf := issue(t, "leaf", &ca, namedResponder("http://ocsp.example/"))
		source := openServer(t, tlsconfig.Certificate{File: file(t, withAuthority(t, leaf, ca)), FetchStaple: true})
		shows := func() bool {
			c, err := source.Config().GetCertificate(&tls.ClientHelloInfo{})
			if err != nil {
				t.Fatal(err)
			}
			return c.OCSPStaple != nil
		}
		began := time.Now()
		var mu sync.Mutex
		var got []string
		down := false
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, time.Since(began).String())
			if down {
				return nil, errors.New("down")
			}
			body, err := io.ReadAll(r.Body)
			return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: io.NopCloser(bytes.NewReader(responder{t, ca, nil}.answer(body)))}, err
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			source.WatchStaples(ctx, transport, func(n tlsconfig.Notice) {
				kind := map[tlsconfig.NoticeKind]string{tlsconfig.Stapled: "ok", tlsconfig.NotStapled: "failed"}[n.Kind]
				if n.Err != nil && strings.Contains(n.Err.Error(), "lapsed") {
					kind = "lapsed"
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, kind)
			})
		}()
		// until returns what happens until a time, and says whether the responder is down then.
		until := func(d time.Duration, fails bool) string {
			<-time.After(d - time.Since(began)) // by the clock of the bubble
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			happened := strings.Join(got, " ")
			got, down = nil, fails
			return happened
		}
		if s := until(25*time.Hour, true); s != "0s ok 12h0m0s ok 24h0m0s ok" || !shows() {
			t.Error(s)
		}
		if s := until(47*time.Hour+30*time.Second, true); !strings.HasPrefix(s, "36h0m0s failed 36h1m0s failed 36h3m0s failed 36h7m0s failed 36h15m0s failed 36h31m0s failed 37h3m0s failed 38h3m0s failed 39h") || !shows() {
			t.Error(s)
		}
		if s := until(48*time.Hour+30*time.Second, false); s != "47h3m0s failed lapsed" || shows() {
			t.Error(s)
		}
		if s := until(62*time.Hour, false); s != "48h3m0s ok 60h3m0s ok" || !shows() {
			t.Error(s)
		}
		stop()
		<-done
	})
}

// The responder of OpenSSL answers, and its client believes what is stapled.
func TestStapleWithOpenSSL(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	ca := issue(t, "Authority", nil, authority)
	caFile, keyFile := file(t, ca.certPEM()), file(t, ca.keyPEM(t))
	index := file(t, fmt.Appendf(nil, "V\t491231235959Z\t\t1234\tunknown\t/CN=leaf\nR\t491231235959Z\t250203040506Z\t1235\tunknown\t/CN=bad\n"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asked := exec.CommandContext(ctx, openssl, "ocsp", "-index", index, "-port", "0", "-rsigner", caFile, "-rkey", keyFile, "-CA", caFile, "-ndays", "1")
	out, err := asked.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	asked.Stderr = &said
	if err := asked.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		asked.Wait() // it was killed
	}()
	port := ""
	for lines := bufio.NewScanner(out); port == "" && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			address, _, _ := strings.Cut(rest, " ")
			if _, port, err = net.SplitHostPort(address); err != nil {
				t.Fatal(err)
			}
		}
	}
	if port == "" {
		t.Fatalf("openssl ocsp doesn't say where it listens: %s", said.String())
	}
	numbered := func(serial int64) tlsconfig.Certificate {
		leaf := issue(t, "leaf", &ca, func(c *x509.Certificate) {
			c.SerialNumber, c.OCSPServer = big.NewInt(serial), []string{"http://127.0.0.1:" + port}
		})
		return tlsconfig.Certificate{File: file(t, withAuthority(t, leaf, ca)), FetchStaple: true}
	}
	source := openServer(t, numbered(0x1234))
	if n := watched(t, source)(); n.Kind != tlsconfig.Stapled {
		t.Fatalf("%v %v", n, n.Err)
	}
	address := serving(t, func(c net.Conn) {
		s := tls.Server(c, source.Config())
		defer s.Close()
		s.Read(make([]byte, 1))
	})
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.CommandContext(ctx, openssl, "s_client", "-connect", address, "-CAfile", caFile, "-verify_return_error", "-status", version)
		cmd.Stdin = strings.NewReader("\n")
		out, err := cmd.CombinedOutput()
		for _, want := range []string{"OCSP Response Status: successful", "Cert Status: good", "Serial Number: 1234"} {
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %q is missing: %v\n%s", version, want, err, out)
			}
		}
	}
	if n := watched(t, openServer(t, numbered(0x1235)))(); !errors.Is(n.Err, tlsconfig.ErrRevoked) || !strings.Contains(n.Err.Error(), "on 2025-02-03") {
		t.Errorf("%v %v", n, n.Err)
	}
	if n := watched(t, openServer(t, numbered(0x1236)))(); n.Err == nil || !strings.Contains(n.Err.Error(), "doesn't know the certificate") {
		t.Errorf("%v %v", n, n.Err)
	}
}
