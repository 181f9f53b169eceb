// Package acme gets free certificates for servers and renews them, from Let's Encrypt or
// any other authority that speaks ACME (RFC 8555). It is a package of its own so that a
// program that has certificates already doesn't compile it.
//
//	server := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Issuer: &acme.Issuer{
//		Domains:     []string{"lab.example"},
//		AcceptTerms: true,
//		Storage:     "/var/lib/lab/certificates",
//	}}}}
//	source, err := server.Open(ctx)
//	if err != nil {
//		return err
//	}
//	defer source.Close()
//	listener, err := tls.Listen("tcp", ":443", source.Config())
//	if err != nil {
//		return err
//	}
//	source.Watch(notify) // gets the certificate, and renews it from then on
//
// In a workflow file, after [Register], the same is written
//
//	certificate: {acme: {domains: lab.example, accept-terms: true, storage: certificates}}
//
// # What the authority wants to see
//
// An authority gives a certificate to whom it reaches under the name. It calls from the
// internet, by one of two ways:
//
//   - TLS-ALPN-01 (RFC 8737): it connects to port 443 of each domain. When that leads to
//     the server itself, whatever port it listens on behind a firewall, nothing is to be
//     set. A proxy in front that ends TLS doesn't let the proof through.
//   - HTTP-01: it connects to port 80 of each domain. Set HTTPAddress, usually ":80", and
//     the Issuer listens there. It answers questions for proofs and nothing else.
//
// A name that has no public address can't be proven, and neither can an IP address or a
// wildcard. Where partners reach the server in a private network alone, run an authority
// there (step-ca is one) and name it as Directory, or use a certificate from a file.
//
// # What happens when
//
// Open looks into the storage. A certificate that is there and still valid is shown at
// once, without asking the authority, so that a restart costs nothing. Watch asks for what
// is missing right away, not at the first handshake: one certificate that has all Domains.
// Until it has come, handshakes fail with [ErrNotIssued]. It is renewed, with a new key,
// when a third of its life is left.
//
// What goes wrong is told as a notice, with what to do, and tried again: after two minutes,
// then after twice as long each time, up to two hours, or when the authority says.
// Authorities refuse whoever fails too often: Let's Encrypt after five failed proofs of a
// name in an hour. While you find out what your firewall needs, use its staging directory,
// https://acme-staging-v02.api.letsencrypt.org/directory.
//
// # What is on the disk
//
// Storage has a folder for each authority, and in it account.key and a PEM file for each
// list of domains, with the key and the certificate. The folder has the rights 0700 and the
// files 0600; on Windows they inherit the rights of the Storage folder. A file is put in
// place whole or not at all. When power fails an older one can come back, and then the
// authority is asked again. Deleting the folder loses nothing that the authority wouldn't
// give again.
//
// Several servers may share a storage: each looks every minute whether another has got a
// newer certificate of the same domains, and shows it. Each answers for its own proofs
// alone, so that the one that the authority reaches should start first.
//
// # Limits
//
// The key of a certificate is ECDSA on the curve P-256. Renewal information (RFC 9773),
// revocation and DNS-01 are left to other tools.
package acme
