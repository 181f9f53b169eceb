package examples_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const adt = "MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01^ADT_A01|MSG00017|P|2.5\rPID|1||4711||EVERYWOMAN^EVE\r"

// A party has a certificate and its files.
type party struct {
	pair *tlsconfig.KeyPair
	pfx  string // opened by "secret"
	crt  string
}

// newParty makes a certificate that signed itself for names.
func newParty(t testing.TB, names ...string) party {
	t.Helper()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "party " + names[0], Names: names}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := party{pair, filepath.Join(dir, "party.pfx"), filepath.Join(dir, "party.crt")}
	for name, content := range map[string][]byte{p.pfx: pfx, p.crt: pair.PEM()} {
		if err := tlsconfig.WriteFile(name, content); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p party) certificate() []tlsconfig.Certificate {
	return []tlsconfig.Certificate{{File: p.pfx, Password: "secret"}}
}

func (p party) pin() tlsconfig.Trust {
	return tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(p.pair.Certificate)}}
}

// start runs workflows until the test ends.
func start(t testing.TB, ws ...engine.Workflow) *engine.Engine {
	t.Helper()
	e, err := engine.New(ws)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// receive is the workflow of the tutorial: HTTP over TLS, write to disk.
func receive(tls *tlsconfig.Server, inbox string) engine.Workflow {
	return engine.Workflow{
		Name:       "Receive HL7 over SSL",
		Receiver:   &receivers.HTTP{Address: "127.0.0.1:0", Path: "/hl7", TLS: tls},
		Activities: []engine.Step{{Activity: &activities.WriteToDisk{Directory: inbox, File: "${MSH-10}.hl7"}}},
	}
}

// send sends body as a partner of ours would and returns the acknowledgement.
func send(t testing.TB, s *activities.HTTPSender, body string) (hl7.AckInfo, error) {
	t.Helper()
	if err := s.Prepare(engine.Env{Format: hl7v2.Format{}, Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reply, err := s.Send(t.Context(), engine.NewMessage([]byte(body)))
	if err != nil {
		return hl7.AckInfo{}, err
	}
	ack, err := hl7.ParseAck(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return ack, nil
}

// client is one whose connections end with the test.
func client(t testing.TB, tr *http.Transport) *http.Client {
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// files returns the content of every file in dir by its name.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// A recorder stands between two peers and keeps every byte of both directions.
type recorder struct {
	listener net.Listener
	mu       sync.Mutex
	seen     bytes.Buffer
}

func newRecorder(t testing.TB, target string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", target)
			if err != nil {
				c.Close()
				continue
			}
			for _, d := range [][2]net.Conn{{c, s}, {s, c}} {
				wg.Go(func() {
					io.Copy(d[1], io.TeeReader(d[0], r))
					d[0].Close()
					d[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return r
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.Write(b)
}

func (r *recorder) saw(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.seen.String(), text)
}
