package tlsconfig_test

import (
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// BenchmarkHandshake compares a full handshake with bare crypto/tls, with the same
// certificate, in turns in one run. The ratio is ours to the bare one.
func BenchmarkHandshake(b *testing.B) {
	pair := issue(b, "bench", nil, nil)
	trust := tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(pair.cert)}}
	ours := mustOpen(b, tlsconfig.Server{Certificates: []tlsconfig.Certificate{pair.bundle(b)}})
	client := mustOpen(b, tlsconfig.Client{Trust: trust})
	client.ClientSessionCache = nil
	bare := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pair.cert.Raw}, PrivateKey: pair.key, Leaf: pair.cert}}, MinVersion: tls.VersionTLS12}
	plain := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	shake := func(server, client *tls.Config) time.Duration {
		a, z := net.Pipe()
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- tls.Server(a, server).Handshake() }()
		if err := tls.Client(z, client).Handshake(); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		a.Close()
		z.Close()
		return took
	}
	var mine, theirs []time.Duration
	for b.Loop() {
		mine = append(mine, shake(ours, client))
		theirs = append(theirs, shake(bare, plain))
	}
	slices.Sort(mine)
	slices.Sort(theirs)
	b.ReportMetric(float64(mine[len(mine)/2].Nanoseconds()), "ns/ours")
	b.ReportMetric(float64(theirs[len(theirs)/2].Nanoseconds()), "ns/bare")
	b.ReportMetric(float64(mine[len(mine)/2])/float64(theirs[len(theirs)/2]), "of-bare")
}
