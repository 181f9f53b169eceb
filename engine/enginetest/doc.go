// Package enginetest has the tests that the author of a receiver runs on it: they hold a
// receiver to the contract that the comment on [engine.Receiver] states.
//
//	func TestHTTP(t *testing.T) {
//		enginetest.TestReceiver(t, enginetest.ReceiverCase{
//			New:  func(t *testing.T) engine.Receiver { return &receivers.HTTP{Address: "127.0.0.1:0"} },
//			Send: func(t *testing.T, r engine.Receiver, body []byte) error { ... },
//			Body: []byte("MSH|^~\\&|..."),
//		})
//	}
package enginetest
