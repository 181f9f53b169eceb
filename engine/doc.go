// Package engine runs workflows: it takes messages from receivers, does what the
// activities say with each, and answers.
//
// A [Workflow] is one [Receiver] and a list of activities. An [Engine] runs any number
// of workflows side by side:
//
//	eng, err := engine.New([]engine.Workflow{{
//		Name:     "Receive HL7 over SSL",
//		Receiver: &receivers.HTTP{Address: ":8443", Path: "/hl7", TLS: &tlsconfig.Server{...}},
//		Activities: []engine.Step{
//			{Activity: &activities.WriteToDisk{Directory: "inbox", File: "${MSH-10}.hl7"}},
//		},
//	}}, engine.WithLogger(log))
//	if err != nil {
//		return err
//	}
//	return eng.Run(ctx) // until ctx ends; what was taken is finished
//
// What happens to a message:
//
//  1. The receiver makes a [Message] of the bytes that came in and hands it to the
//     workflow's [Handler].
//  2. The workflow's [Format] reads what the message calls itself. What is no message
//     of that format is answered as [Rejected].
//  3. The activities are done in order. The first that fails ends the run: nothing is
//     passed on half-done.
//  4. The answer goes back in the payload's own words, chosen by how the run has ended
//     ([Class]). A positive answer means that every activity has succeeded.
//
// The engine moves bytes and knows nothing of what is in them: that is the business of
// a Format, such as the one of HL7 v2 in package engine/hl7v2.
//
// # Writing a receiver or an activity
//
// An [Activity] is one method, a [Receiver] three. What else they may be is found by
// type assertion: a [Preparer] checks its settings and learns its place, an [Opener]
// acquires something for as long as the engine runs, an [Addresser] and an [Endpoint]
// tell where they listen.
//
// # Workflow files
//
// [Load] reads workflows from a YAML file, with the types that a [Registry] knows. A
// file is the same structs written down: its keys are the yaml tags of their fields,
// and nothing can be said only there.
//
// # Logs
//
// Nothing is logged without [WithLogger]. No line holds content of a message: ids,
// types, sizes and states only.
package engine
