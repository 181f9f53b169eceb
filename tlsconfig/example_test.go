package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// As the Windows certificate manager shows it, with the invisible mark in front.
func ExampleParseThumbprint() {
	t, err := tlsconfig.ParseThumbprint("\u200eA9 09 50 2D D8 2A E4 14 33 E6 F8 38 86 B0 0D 42 77 A3 2A 7B")
	fmt.Println(t, err)
	_, err = tlsconfig.ParseThumbprint("a9 09 50")
	fmt.Println(err)
	// Output:
	// a909502dd82ae41433e6f83886b00d4277a32a7b <nil>
	// not a thumbprint: it has 6 hexadecimal digits: a SHA-1 thumbprint has 40, a SHA-256 thumbprint 64, and the whole of one is needed
}

// A home-made certificate, exported, and what a mistake with it looks like.
func ExampleSelfSigned() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	pair, err := tlsconfig.SelfSigned{FriendlyName: "Laboratory", Names: []string{"lab.example"}}.Create()
	if err != nil {
		fmt.Println(err)
		return
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	file := filepath.Join(dir, "lab.pfx")
	if err := tlsconfig.WriteFile(file, pfx); err != nil {
		fmt.Println(err)
		return
	}
	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{File: file, Password: "sesame"}}}
	_, err = server.Open(context.Background())
	fmt.Println(errors.Is(err, tlsconfig.ErrPasswordWrong))

	server.Certificates[0].Password = "secret"
	source, err := server.Open(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close()
	fmt.Println(source.Leaves()[0].DNSNames, tls.VersionName(source.Config().MinVersion))
	fmt.Printf("%v\n", server.Certificates[0].Password)
	// Output:
	// true
	// [lab.example] TLS 1.2
	// [redacted]
}

// A server shows a PFX file, and a client pins its certificate.
func ExampleServer() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	pair, err := tlsconfig.SelfSigned{FriendlyName: "Laboratory", Names: []string{"lab.example"}}.Create()
	if err != nil {
		fmt.Println(err)
		return
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	file := filepath.Join(dir, "server.pfx")
	if err := tlsconfig.WriteFile(file, pfx); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	server, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{File: file, Password: "secret"}}}.Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.Watch(func(n tlsconfig.Notice) { fmt.Println(n) }) // a renewed file is shown without a restart
	l, err := tls.Listen("tcp", "127.0.0.1:0", server.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			fmt.Fprint(c, "hello")
			c.Close()
		}
	}()

	client, err := tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(pair.Certificate)}}}.Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	c, err := tls.Dial("tcp", l.Addr().String(), client.ConfigFor("lab.example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	fmt.Println(string(answer), err)
	// Output: hello <nil>
}

// What partners will have against a certificate.
func ExampleProblems() {
	pair, err := tlsconfig.Certificate{File: "testdata/certificates/pem-expired.pem"}.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, problem := range tlsconfig.Problems(pair.Leaf, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), tlsconfig.ForServer) {
		fmt.Println(problem, errors.Is(problem, tlsconfig.ErrExpired))
	}
	// Output: the certificate has expired on 2021-01-01: renew it true
}

// The doctor: nothing listens there.
func ExampleProbe_Run() {
	report := tlsconfig.Probe{}.Run(context.Background(), "127.0.0.1:1")
	fmt.Print(report)
	// Output:
	// 127.0.0.1:1 nobody was reached
	// problem: nobody was reached: nothing listens on the port: the receiver isn't running, or uses another one
}
