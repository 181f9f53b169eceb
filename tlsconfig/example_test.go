package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
