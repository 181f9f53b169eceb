package examples_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"software.sslmate.com/src/go-pkcs12"
)

// The scenarios of the two systems that Ladle starts from, through the public API and
// over real sockets.

func TestA07TheCertificateDoesThreeJobs(t *testing.T) {
	t.Parallel()
	t.Run("it encrypts", func(t *testing.T) {
		t.Parallel()
		server := newParty(t, "localhost", "127.0.0.1")
		for _, encrypted := range []bool{true, false} { // in clear the recorder sees it: the test can fail
			s := &activities.HTTPSender{}
			var settings *tlsconfig.Server
			scheme := "http"
			if encrypted {
				scheme, settings = "https", &tlsconfig.Server{Certificates: server.certificate()}
				s.TLS = &tlsconfig.Client{Trust: tlsconfig.Trust{CAFiles: []string{server.crt}}}
			}
			e := start(t, receive(settings, t.TempDir()))
			r := newRecorder(t, e.Addr("Receive HL7 over SSL").String())
			s.URL = scheme + "://" + r.listener.Addr().String() + "/hl7"
			if ack, err := send(t, s, adt); err != nil || ack.Code != "AA" {
				t.Fatalf("%+v, %v", ack, err)
			}
			if saw := r.saw("EVERYWOMAN"); saw == encrypted {
				t.Errorf("encrypted: %v, the recorder saw the message: %v", encrypted, saw)
			}
		}
	})
	t.Run("it names the client", func(t *testing.T) {
		t.Parallel()
		server, known, unknown := newParty(t, "localhost", "127.0.0.1"), newParty(t, "known"), newParty(t, "unknown")
		peers := make(chan *x509.Certificate, 1)
		for name, trust := range map[string]tlsconfig.Trust{"pin": known.pin(), "ca": {CAFiles: []string{known.crt}}} {
			w := receive(&tlsconfig.Server{Certificates: server.certificate(), ClientAuth: tlsconfig.ClientRequire, Trust: trust}, t.TempDir())
			inbox := t.TempDir()
			w.Activities = []engine.Step{{Activity: peerTo(peers)}, {Activity: &activities.WriteToDisk{Directory: inbox, File: "${PeerName} ${PeerThumbprint}"}}}
			e := start(t, w)
			for who, c := range map[string][]tlsconfig.Certificate{"known": known.certificate(), "unknown": unknown.certificate(), "nobody": nil} {
				ack, err := send(t, &activities.HTTPSender{URL: localURL(e), TLS: &tlsconfig.Client{Certificates: c, Trust: server.pin()}}, adt)
				if (who == "known") != (err == nil) {
					t.Errorf("%s: %s: %+v, %v", name, who, ack, err)
				}
			}
			if p := <-peers; p == nil || !p.Equal(known.pair.Certificate) {
				t.Errorf("%s: the message came from %v", name, p)
			}
			if got := files(t, inbox); got["party known "+tlsconfig.SHA256(known.pair.Certificate).String()] != adt {
				t.Errorf("%s: written: %q", name, got)
			}
		}
	})
}

func peerTo(c chan<- *x509.Certificate) engine.ActivityFunc {
	return func(_ ctx, m *engine.Message) error {
		c <- m.Origin.Certificate
		return nil
	}
}

func localURL(e *engine.Engine) string { return e.URL(e.Workflows()[0]) }

func TestA08ACertificateIsValidForItsName(t *testing.T) {
	t.Parallel()
	server := newParty(t, "lab.example")
	e := start(t, receive(&tlsconfig.Server{Certificates: server.certificate()}, t.TempDir()))
	for name, ok := range map[string]bool{"lab.example": true, "other.example": false, "": false} {
		_, err := send(t, &activities.HTTPSender{URL: localURL(e), TLS: &tlsconfig.Client{
			ServerName: name, Trust: tlsconfig.Trust{CAFiles: []string{server.crt}},
		}}, adt)
		if ok != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
		if !ok && (!errors.Is(err, engine.ErrUnreachable) || !strings.Contains(err.Error(), "it is for lab.example")) {
			t.Errorf("%q: the error doesn't explain it: %v", name, err)
		}
	}
}

func TestA09TLS12NeverSSL(t *testing.T) {
	t.Parallel()
	server := newParty(t, "localhost", "127.0.0.1")
	address := func(s *tlsconfig.Server) string {
		e := start(t, receive(s, t.TempDir()))
		return e.Addr("Receive HL7 over SSL").String()
	}
	usual := address(&tlsconfig.Server{Certificates: server.certificate()})
	exactly := address(&tlsconfig.Server{Certificates: server.certificate(), MinVersion: tlsconfig.TLS12, MaxVersion: tlsconfig.TLS12})
	for _, c := range []struct {
		address string
		version uint16
		ok      bool
	}{
		{usual, tls.VersionTLS10, false}, {usual, tls.VersionTLS11, false}, {usual, tls.VersionTLS12, true}, {usual, tls.VersionTLS13, true},
		{exactly, tls.VersionTLS12, true}, {exactly, tls.VersionTLS13, false},
	} {
		conn, err := tls.Dial("tcp", c.address, &tls.Config{InsecureSkipVerify: true, MinVersion: c.version, MaxVersion: c.version})
		if (err == nil) != c.ok {
			t.Errorf("a client of %s: %v", tls.VersionName(c.version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
	t.Run("SSL 3.0 receiver", func(t *testing.T) {
		t.Parallel()
		conn, err := net.Dial("tcp", usual)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write(ssl3Hello); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn)
		if len(answer) > 0 && answer[0] != 21 { // an alert, or the end, and never a ServerHello (22)
			t.Errorf("answered % x", answer)
		}
	})
	t.Run("sender", func(t *testing.T) {
		t.Parallel()
		pair, err := server.load()
		if err != nil {
			t.Fatal(err)
		}
		for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: version, MaxVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{ErrorLog: discard, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, "MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|AA|MSG00017\r")
			})}
			ended := make(chan error)
			go func() { ended <- s.Serve(l) }()
			_, err = send(t, &activities.HTTPSender{URL: "https://" + l.Addr().String(), TLS: &tlsconfig.Client{Trust: server.pin()}}, adt)
			if ok != (err == nil) {
				t.Errorf("a server of %s: %v", tls.VersionName(version), err)
			}
			s.Close()
			<-ended
		}
	})
}

// ssl3Hello is a ClientHello of SSL 3.0 with TLS_RSA_WITH_AES_128_CBC_SHA.
var ssl3Hello = append([]byte{22, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0}, append(make([]byte, 32), 0, 0, 2, 0, 0x2f, 1, 0)...)

func TestA11AnHTTPReceiverOnAnUnusedPort(t *testing.T) {
	t.Parallel()
	server := newParty(t, "localhost", "127.0.0.1")
	e := start(t, receive(&tlsconfig.Server{Certificates: server.certificate()}, t.TempDir()))
	address := e.Addr("Receive HL7 over SSL")
	if want := fmt.Sprintf("https://%v/hl7", address); localURL(e) != want {
		t.Errorf("the address for the partner is %q, want %q", localURL(e), want)
	}
	_, port, _ := net.SplitHostPort(address.String())

	used, err := engine.New([]engine.Workflow{{Name: "second", Receiver: &receivers.HTTP{Address: address.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := used.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "port "+port+" is in use") {
		t.Errorf("a used port: %v", err)
	}

	twice := func(name string) engine.Workflow {
		return engine.Workflow{Name: name, Receiver: &receivers.HTTP{Address: "127.0.0.1:" + port, Path: "/same"}}
	}
	if _, err := engine.New([]engine.Workflow{twice("a"), twice("b")}); err == nil || !strings.Contains(err.Error(), `workflow "a" already has the path /same`) {
		t.Errorf("the same path twice: %v", err)
	}
}

// A port below 1024 without the right to it: a child process without privileges tries.
func TestA11PrivilegedPort(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no privileged ports")
	}
	if os.Getenv("LADLE_TEST_PRIVILEGED_PORT") != "" {
		e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: &receivers.HTTP{Address: "127.0.0.1:7"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := dropPrivileges(); err != nil {
			t.Fatal(err)
		}
		fmt.Println("started:", e.Start(t.Context()))
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestA11PrivilegedPort$", "-test.v")
	cmd.Env = append(os.Environ(), "LADLE_TEST_PRIVILEGED_PORT=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "started: <nil>") && allowsEveryPort() {
		t.Log("this system lets every account listen on port 7; the receivers' own tests inject its refusal")
		return
	}
	for _, want := range []string{"this account may not listen on port 7", "choose a port from 1024 up"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in %s", want, out)
		}
	}
}

// allowsEveryPort reports whether this system gives ports below 1024 to everybody.
func allowsEveryPort() bool {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return runtime.GOOS == "darwin"
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return err == nil && first <= 7
}

func TestA12ByFileWithAndWithoutPassword(t *testing.T) {
	t.Parallel()
	server := newParty(t, "localhost", "127.0.0.1")
	dir := t.TempDir()
	pair, err := server.load()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := tlsconfig.WriteFile(name, content); err != nil {
			t.Fatal(err)
		}
		return name
	}
	pfx := func(e *pkcs12.Encoder, password string) []byte {
		b, err := e.Encode(pair.PrivateKey, pair.Leaf, nil, password)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	keyFile := write("key.pem", key)
	for name, c := range map[string]tlsconfig.Certificate{
		"PFX":                          {File: write("modern.pfx", pfx(pkcs12.Modern, "p")), Password: "p"},
		"PFX, 3DES":                    {File: write("des.pfx", pfx(pkcs12.LegacyDES, "p")), Password: "p"},
		"PFX, RC2":                     {File: write("rc2.pfx", pfx(pkcs12.LegacyRC2, "p")), Password: "p"},
		"PFX, empty password":          {File: write("empty.pfx", pfx(pkcs12.Modern, ""))},
		"PFX, no password":             {File: write("none.pfx", pfx(pkcs12.Passwordless, ""))},
		"PEM pair":                     {File: server.crt, KeyFile: keyFile},
		"PEM bundle":                   {File: write("bundle.pem", append(append([]byte(nil), key...), server.pair.PEM()...))},
		"PFX, with its own thumbprint": {File: server.pfx, Password: "secret", Thumbprint: tlsconfig.SHA1(pair.Leaf)},
	} {
		e := start(t, receive(&tlsconfig.Server{Certificates: []tlsconfig.Certificate{c}}, t.TempDir()))
		if _, err := send(t, &activities.HTTPSender{URL: localURL(e), TLS: &tlsconfig.Client{Trust: server.pin()}}, adt); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// As the certificate manager shows it.
	sha1 := string(tlsconfig.SHA1(pair.Leaf))
	pasted := "\u200e" + strings.ToUpper(sha1[:2])
	for i := 2; i < len(sha1); i += 2 {
		pasted += " " + sha1[i:i+2]
	}
	if got, err := tlsconfig.ParseThumbprint(pasted); err != nil || !got.Matches(pair.Leaf) {
		t.Errorf("%q: %v, %v", pasted, got, err)
	}
	for _, bad := range []string{sha1[:39], sha1[:20], sha1 + "0", "x" + sha1[1:], ""} {
		if _, err := tlsconfig.ParseThumbprint(bad); !errors.Is(err, tlsconfig.ErrThumbprint) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestA13TheAddressAnswersWithHL7(t *testing.T) {
	t.Parallel()
	server := newParty(t, "localhost", "127.0.0.1")
	inbox := t.TempDir()
	e := start(t, receive(&tlsconfig.Server{Certificates: server.certificate()}, inbox))
	resp, err := client(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}).Get(localURL(e))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := hl7.Parse(body)
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if code, text := msg.Get(hl7.MustPath("MSA-1")), msg.Get(hl7.MustPath("MSA-3")); code != "AR" || !strings.Contains(text, "No HL7 message was received") {
		t.Errorf("%s %q", code, text)
	}
	if len(files(t, inbox)) != 0 {
		t.Error("something was written")
	}
}

func TestA14Trust(t *testing.T) {
	t.Parallel()
	server, other := newParty(t, "localhost", "127.0.0.1"), newParty(t, "localhost", "127.0.0.1")
	ca, issued := newAuthority(t)
	home := start(t, receive(&tlsconfig.Server{Certificates: server.certificate()}, t.TempDir()))
	bought := start(t, receive(&tlsconfig.Server{Certificates: []tlsconfig.Certificate{issued}}, t.TempDir()))
	for name, c := range map[string]struct {
		e     *engine.Engine
		trust tlsconfig.Trust
		ok    bool
		text  string
	}{
		"home-made, nothing said":             {home, tlsconfig.Trust{}, false, "unknown authority"},
		"home-made, told to trust it":         {home, tlsconfig.Trust{CAFiles: []string{server.crt}}, true, ""},
		"home-made, pinned":                   {home, server.pin(), true, ""},
		"home-made, told to trust another":    {home, tlsconfig.Trust{CAFiles: []string{other.crt}}, false, "unknown authority"},
		"home-made, another pinned":           {home, other.pin(), false, "none of the 1 that are pinned"},
		"issued, its authority trusted":       {bought, tlsconfig.Trust{CAFiles: []string{ca}}, true, ""},
		"issued, another authority trusted":   {bought, tlsconfig.Trust{CAFiles: []string{server.crt}}, false, "unknown authority"},
		"issued, authority and a wrong pin":   {bought, tlsconfig.Trust{CAFiles: []string{ca}, Thumbprints: other.pin().Thumbprints}, false, "pinned"},
		"issued, a wrong authority and a pin": {home, tlsconfig.Trust{CAFiles: []string{ca}, Thumbprints: server.pin().Thumbprints}, false, "unknown authority"},
		"home-made, insecure":                 {home, tlsconfig.Trust{Insecure: true}, true, ""},
	} {
		_, err := send(t, &activities.HTTPSender{URL: localURL(c.e), TLS: &tlsconfig.Client{Trust: c.trust}}, adt)
		if c.ok != (err == nil) || !c.ok && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestA15EndToEnd(t *testing.T) {
	t.Parallel()
	server := newParty(t, "localhost", "127.0.0.1")
	inbox := t.TempDir()
	e := start(t, receive(&tlsconfig.Server{Certificates: server.certificate()}, inbox))
	toReceiver := func() *activities.HTTPSender {
		return &activities.HTTPSender{URL: localURL(e), TLS: &tlsconfig.Client{Trust: server.pin()}}
	}
	want := adt + "ZZZ|\x00\xff|\\X41\\\r\n"
	ack, err := send(t, toReceiver(), want)
	if err != nil || ack.Code != "AA" || ack.ControlID != "MSG00017" {
		t.Fatalf("%+v, %v", ack, err)
	}
	if got := files(t, inbox); len(got) != 1 || got["MSG00017.hl7"] != want {
		t.Errorf("%q", got)
	}

	// The sender as an activity of a second workflow, whose answer is the receiver's.
	second := start(t, engine.Workflow{
		Name:       "Send HL7 over SSL",
		Receiver:   &receivers.HTTP{Address: "127.0.0.1:0"},
		Activities: []engine.Step{{Name: "Receiver", Activity: &activities.ForwardToSender{Sender: toReceiver()}}},
		Response:   engine.Response{With: engine.With{ReplyOf: "Receiver"}},
	})
	want = strings.Replace(want, "MSG00017", "MSG00018", 1)
	ack, err = send(t, &activities.HTTPSender{URL: localURL(second)}, want)
	if err != nil || ack.Code != "AA" || ack.ControlID != "MSG00018" {
		t.Fatalf("%+v, %v", ack, err)
	}
	if got := files(t, inbox); len(got) != 2 || got["MSG00018.hl7"] != want {
		t.Errorf("%q", got)
	}

	// When the receiver is gone, the second workflow says so and nothing is lost.
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := send(t, &activities.HTTPSender{URL: localURL(second)}, want); !errors.Is(err, engine.ErrPartnerRejected) {
		t.Errorf("without the receiver: %v", err)
	}
}

func (p party) load() (tls.Certificate, error) { return p.certificate()[0].Load() }

// newAuthority returns the file of an authority, and a certificate that an intermediate
// of it has issued to localhost.
func newAuthority(t *testing.T) (ca string, issued tlsconfig.Certificate) {
	t.Helper()
	dir := t.TempDir()
	var bundle []byte
	issue := func(name string, isCA bool, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: isCA, BasicConstraintsValid: true,
		}
		if isCA {
			template.KeyUsage = x509.KeyUsageCertSign
		} else {
			template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	root, rootKey := issue("Root", true, nil, nil)
	intermediate, intermediateKey := issue("Intermediate", true, root, rootKey)
	leaf, leafKey := issue("Server", false, intermediate, intermediateKey)
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*x509.Certificate{root, intermediate, leaf} { // in the wrong order, with the root
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	ca = filepath.Join(dir, "ca.pem")
	file := filepath.Join(dir, "server.pem")
	for name, content := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), file: bundle} {
		if err := tlsconfig.WriteFile(name, content); err != nil {
			t.Fatal(err)
		}
	}
	return ca, tlsconfig.Certificate{File: file}
}
