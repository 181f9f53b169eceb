package acme

import "time"

// SetFirstRetry sets how long to wait after a first failure.
func (i *Issuer) SetFirstRetry(d time.Duration) { i.firstRetry = d }
