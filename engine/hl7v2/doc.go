// Package hl7v2 lets the engine look into HL7 v2 messages: [Format] is what a workflow
// of HL7 v2 asks about its payload, and [View] gives activities the parsed message.
//
//	func(ctx context.Context, m *engine.Message) error {
//		msg, err := hl7v2.View(m)
//		if err != nil {
//			return err
//		}
//		if msg.Get(hl7.MustPath("PV1-2")) == "N" { ... }
//		return nil
//	}
package hl7v2
