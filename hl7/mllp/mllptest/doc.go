// Package mllptest is a partner that misbehaves by script, for tests of whatever speaks MLLP (HL7 v2 Transport
// Specification, MLLP, release 1 and 2): a [Server] for those of senders, and a [Conn] from [NewClient] for those of receivers.
//
// A script is a list of [Step]s, each one thing that a partner does on a connection: take a message, acknowledge it,
// say nothing, write junk, hang up. Steps are values; [Sequence] and [Repeat] make larger ones of small ones, [Do] makes
// one of a function. A [Fault] damages a frame on its way out: [NoTrailer], [StartInside], [WithID] and so on.
//
//	partner := mllptest.NewServer(t,
//		mllptest.Answer("AA", mllptest.WithID("another")), // an acknowledgement for nobody
//		mllptest.Silence(),                                // none at all, until the sender hangs up
//		mllptest.InPieces(1, mllptest.Answer("AA")),       // a good one, byte by byte
//	) // whatever comes then is answered AA
//
// What a sender has to survive is then one line each: it must call a message delivered only when [Server.Accepted] has
// it, and after a timeout must not send on the same connection ([Server.Messages] has the connections' numbers).
//
// Nothing here waits for a time: what is late is late until a channel says so ([WaitFor], [Late], [Paced]) or until the
// other side has hung up ([UntilClosed]). So tests are as fast as they can be, and the same on every machine.
package mllptest
