package examples_test

import (
	"context"
	"io"
	"log"
)

type ctx = context.Context

var discard = log.New(io.Discard, "", 0)
