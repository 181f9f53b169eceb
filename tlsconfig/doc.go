// Package tlsconfig makes settings for crypto/tls of certificates and trust as people
// have them: a .pfx file and its password, a .pem bundle, a thumbprint. It is usable by
// any program that speaks TLS, and knows nothing of the rest of Ladle.
//
// # You were handed a .pfx file
//
// A PFX file (also .p12, PKCS #12) holds a certificate, its private key, and often the
// certificates of the authorities that lead to it. A server shows it like this:
//
//	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{
//		{File: "server.pfx", Password: password},
//	}}
//	source, err := server.Open(ctx)
//	if err != nil {
//		return err // says which setting is wrong, and what to do
//	}
//	defer source.Close()
//	listener, err := tls.Listen("tcp", ":8443", source.Config())
//
// PEM files are read the same way: a bundle as File alone, a pair as File and KeyFile. The
// certificate that is shown is the one that fits the key, wherever it stands in the file;
// of several keys FriendlyName or Thumbprint chooses. When you have no certificate yet,
// [SelfSigned] makes one.
//
// # You have no certificate and a public name
//
// An authority such as Let's Encrypt gives one for nothing to whoever answers under the
// name. Package acme gets it, keeps it and renews it; it stands in place of the file, as
// any [Issuer] can:
//
//	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{
//		{Issuer: &acme.Issuer{Domains: []string{"lab.example"}, AcceptTerms: true, Storage: "certificates"}},
//	}}
//
// It is got by [Source.Watch], once the port is open.
//
// # You were handed a thumbprint
//
// A thumbprint names one certificate. When it is your own, and the certificate is in the
// certificate store of Windows, a server shows it like this, and the private key stays in
// the store:
//
//	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{
//		{Thumbprint: "a9 09 50 2d ...", Location: tlsconfig.LocalMachine},
//	}}
//
// A renewed certificate has another thumbprint; Subject or SAN in its place takes the
// newest valid one of that name.
//
// When a partner has signed its own, nobody else
// vouches for it: ask the partner for the thumbprint, by telephone say, and pin it.
//
//	client := tlsconfig.Client{Trust: tlsconfig.Trust{
//		Thumbprints: []tlsconfig.Thumbprint{"a9 09 50 2d ..."},
//	}}
//
// [ParseThumbprint] takes it as the Windows certificate manager or OpenSSL shows it.
//
// # You want to change a port's certificate while it runs
//
// A [Table] binds certificates to ports, names and addresses, in a file that several
// programs share. A server follows it: it shows what is bound to its endpoint, and is to
// close its port while nothing is ([Source.Waiting]), which Ladle's receivers do by
// themselves.
//
//	table := tlsconfig.Table{File: "bindings.json"}
//	outcome, err := table.Bind(ctx, ":8443", tlsconfig.Certificate{File: "server.pfx", Password: password})
//
//	server := tlsconfig.Server{
//		Certificates: []tlsconfig.Certificate{{Bound: "bindings.json"}},
//		Endpoint:     ":8443",
//	}
//
// # Whom to trust
//
// [Trust] has three knobs: certification authorities, pinned certificates, and the host
// name. A client that sets none of them trusts the authorities of its system. A server
// asks for client certificates when its ClientAuth says so.
//
// # Renewal
//
// [Source.Watch] notices a new certificate in the files or the store, looks whether it can
// be used, and shows it to new connections, while open ones live on. It also says when a
// certificate is about to end.
//
// # Revocation
//
// [Trust] looks into revocation lists in files (CRLFiles), and at the OCSP response that a
// peer staples to the handshake (OCSP). Neither asks anybody while a partner waits. A
// [Certificate] of one's own is shown with such a response out of a file (Staple), or with
// one that [Source.Watch] fetches from the authority (FetchStaple).
//
// # FIPS 140-3
//
// A program that runs with GODEBUG=fips140=on speaks what is approved and nothing else: Go
// sees to the versions, the curves and the signatures; a cipher suite that isn't approved is
// a mistake in the settings; and a peer with a key that isn't, its own or its authority's,
// isn't trusted. A [Probe] can't look for TLS 1.0 and 1.1 then.
//
// With GODEBUG=fips140=only nothing else is even computed. A file whose key is encrypted in
// another way is refused, with what to do: by 3DES or RC2, with a MAC of SHA-1, or with a
// salt shorter than 16 bytes, as many versions of OpenSSL write it. What [KeyPair.PFX] writes
// can be read. A SHA-1 thumbprint still finds a certificate of one's own, and trusts none.
//
// # What is right by default
//
// TLS 1.2 is the least that is spoken, and TLS 1.3 is preferred. Trust is checked on
// every connection, resumed sessions among them. The cipher suites are Go's own choice,
// which has no DHE and no CBC with SHA-1. Passwords are of the type [Secret] and print
// as [redacted].
package tlsconfig
