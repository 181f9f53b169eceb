package activities

import "time"

// FileName is the name that a value from a message gives a file.
func FileName(value string) string { return cleanPath(cleanValue(value)) }

// SetClock makes s take the time from now when it pauses between attempts to connect.
func SetClock(s *MLLPSender, now func() time.Time) { s.away.now = now }
