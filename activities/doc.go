// Package activities has the activities that Ladle brings along: what a workflow does
// with each message.
//
//   - [WriteToDisk] writes it into a file, whole and synced, or not at all.
//   - [ForwardToSender] sends it to a partner through a sender, [MLLPSender] or
//     [HTTPSender], and succeeds when the partner has accepted it.
//
// What counts as acceptance is an [Acknowledgement]. A partner that says nothing, or
// speaks of another message, has accepted nothing.
//
// A function is an activity, too: see [engine.ActivityFunc].
//
// Every activity and sender can be written in a workflow file once [Register] has
// made it known.
package activities

import (
	"errors"

	"github.com/ladlehq/ladle/engine"
)

// Register makes every activity and sender of this package known to r, under the
// names that their documentation gives.
func Register(r *engine.Registry) error {
	return errors.Join(
		engine.RegisterActivity[WriteToDisk](r, "write-to-disk"),
		engine.RegisterActivity[ForwardToSender](r, "forward-to-sender"),
		engine.RegisterSender[HTTPSender](r, "http"),
		engine.RegisterSender[MLLPSender](r, "mllp"),
	)
}
