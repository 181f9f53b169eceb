package examples_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
)

// BenchmarkReceiveToDisk sends messages over HTTPS to the workflow of the tutorial, and
// to a bare net/http handler that writes the same files with the same syncs and checks
// nothing. They take turns in one run; "ratio" is the workflow's messages per second to
// the bare handler's.
func BenchmarkReceiveToDisk(b *testing.B) {
	server := newParty(b, "localhost", "127.0.0.1")
	pair, err := server.load()
	if err != nil {
		b.Fatal(err)
	}
	for _, noSync := range []bool{false, true} {
		for _, connections := range []int{1, 16, 64} {
			name := map[bool]string{false: "sync", true: "nosync"}[noSync]
			b.Run(fmt.Sprintf("%s/connections=%d", name, connections), func(b *testing.B) {
				w := receive(&tlsconfig.Server{Certificates: server.certificate()}, "")
				w.Activities = []engine.Step{{Activity: &activities.WriteToDisk{Directory: b.TempDir(), File: "${MSH-10}.hl7", NoSync: noSync}}}
				e := start(b, w)
				ladle := newLoad(b, localURL(e), connections)
				bare := newLoad(b, serveBare(b, pair, b.TempDir(), noSync), connections)
				var took [2]time.Duration
				ladle.send(b, connections) // opens the connections
				bare.send(b, connections)
				b.ResetTimer()
				const block = 256
				for n := 0; n < b.N; n += block {
					size := min(block, b.N-n)
					for i, l := range []*load{ladle, bare} {
						began := time.Now()
						l.send(b, size)
						took[i] += time.Since(began)
					}
				}
				b.ReportMetric(float64(b.N)/took[0].Seconds(), "msg/s")
				b.ReportMetric(float64(b.N)/took[1].Seconds(), "bare-msg/s")
				b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
			})
		}
	}
}

// A load sends messages with new control ids over a number of connections.
type load struct {
	client      *http.Client
	url         string
	connections int
	id          atomic.Int64
}

func newLoad(b *testing.B, url string, connections int) *load {
	// One HTTP/1.1 connection for each sender, as HL7 senders have them.
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: connections, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	return &load{client: client(b, tr), url: url, connections: connections}
}

func (l *load) send(b *testing.B, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	padding := "ZZZ|" + strings.Repeat("x", 900) + "\r"
	for range l.connections {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				id := fmt.Sprintf("MSG%09d", l.id.Add(1))
				body := strings.Replace(adt, "MSG00017", id, 1) + padding
				resp, err := l.client.Post(l.url, "application/hl7-v2", strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				answer, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte("MSA|AA|")) {
					b.Errorf("%d %q, %v", resp.StatusCode, answer, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// serveBare writes each body into a file as write-to-disk does: a temporary file, a
// sync, its own name, and a sync of the folder.
func serveBare(b *testing.B, pair tls.Certificate, dir string, noSync bool) string {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = writeBare(dir, body, noSync)
		}
		if err != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/hl7-v2")
		io.WriteString(w, "MSH|^~\\&|LAB|CELLAR|HIS|WARD|20260305140709||ACK^A01^ACK|1|P|2.5\rMSA|AA|MSG00017\r")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(handler), ErrorLog: discard}
	ended := make(chan error, 1)
	go func() {
		ended <- s.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
	}()
	b.Cleanup(func() { s.Close(); <-ended })
	return "https://" + l.Addr().String() + "/hl7"
}

func writeBare(dir string, body []byte, noSync bool) error {
	fields := bytes.SplitN(body, []byte("|"), 11)
	name := filepath.Join(dir, string(fields[9])+".hl7")
	temporary := filepath.Join(dir, "."+uuid.NewString()+".tmp")
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil && !noSync {
		err = f.Sync()
	}
	f.Close()
	if err == nil {
		err = os.Link(temporary, name)
	}
	os.Remove(temporary)
	if err != nil || noSync {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
