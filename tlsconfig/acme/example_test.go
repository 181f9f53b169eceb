package acme_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/ladlehq/ladle/tlsconfig"
	"github.com/ladlehq/ladle/tlsconfig/acme"
)

// A server of one's own that gets its certificate from Let's Encrypt, and proves its name
// on port 80.
func Example() {
	ctx := context.Background()
	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Issuer: &acme.Issuer{
		Domains:     []string{"lab.example"},
		AcceptTerms: true,
		Storage:     "/var/lib/lab/certificates",
		HTTPAddress: ":80",
	}}}}
	source, err := server.Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close()
	listener, err := tls.Listen("tcp", ":443", source.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	source.Watch(func(n tlsconfig.Notice) { fmt.Println(n, n.Err) })
	fmt.Println(http.Serve(listener, http.NotFoundHandler()))
}

// Mistakes are told before anything happens.
func ExampleIssuer_Validate() {
	i := acme.Issuer{Domains: []string{"*.lab.example"}, Storage: "certificates"}
	fmt.Println(i.Validate())
	// Output:
	// domains[0]: "*.lab.example": a wildcard can be proven by DNS-01 alone, which is not supported: write each name, or use a certificate from a file
	// accept-terms: an authority gives certificates to those who agree to its terms: read them, and write accept-terms: true
}
