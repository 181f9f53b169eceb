// Package receivers has the receivers that Ladle brings along: where the messages of
// a workflow come in.
//
// [HTTP] receives over HTTP and HTTPS. Receivers that name the same address share one
// port, an [HTTPServer], and are told apart by their paths. [MLLP] receives over MLLP, on
// TCP or TLS.
//
//	engine.Workflow{
//		Name: "Receive HL7 over SSL",
//		Receiver: &receivers.HTTP{
//			Address: ":8443",
//			Path:    "/hl7",
//			TLS: &tlsconfig.Server{Certificates: []tlsconfig.Certificate{
//				{File: "server.pfx", Password: password},
//			}},
//		},
//	}
//
// Every receiver can be written in a workflow file, too, once [Register] has made it
// known.
package receivers

import (
	"errors"

	"github.com/ladlehq/ladle/engine"
)

// Register makes every receiver of this package known to r, under the names that
// their documentation gives.
func Register(r *engine.Registry) error {
	return errors.Join(engine.RegisterReceiver[HTTP](r, "http"), engine.RegisterReceiver[MLLP](r, "mllp"))
}
