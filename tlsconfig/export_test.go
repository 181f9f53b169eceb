package tlsconfig

import "time"

// Ending is what a watched Source says of certificates that end, at a time.
func (s *Source) Ending(now time.Time) []Notice { return s.ending(now) }

// ToDER converts BER.
func ToDER(raw []byte) ([]byte, error) { return toDER(raw) }
